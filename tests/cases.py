"""Made-up sequences to classify."""

import numpy as np

from zoo.data.cases import Cases, cases

LABELS = ("falling", "flat", "rising")


def made_cases(count=90, steps=(16, 16), channels=2, seed=0, noise=0.3) -> Cases:
    """Three classes by the slope of the first channel; the others are noise. steps: shortest and longest."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    sequences = []
    for label in labels:
        length = int(random.integers(steps[0], steps[1] + 1))
        values = noise * random.normal(size=(length, channels))
        values[:, 0] += (label - 1) * np.linspace(-1, 1, length)
        sequences.append(values)
    return cases(sequences, [LABELS[label] for label in labels], source="made")


def ts_text(made: Cases) -> str:
    """The cases as a .ts file."""
    head = ["# made", "@problemName Made", "@timeStamps false", f"@classLabel true {' '.join(made.classes)}", "@data"]
    lines = [
        ":".join([*(",".join(map(repr, column.tolist())) for column in made.sequence(number).T), str(label)])
        for number, label in enumerate(made.labels)
    ]
    return "\n".join([*head, *lines]) + "\n"
