"""What is in labelled sequences: how many of each class and of what length, and a command to try on them."""

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.data.cases import Cases


def describe_cases(cases: Cases) -> dict[str, Any]:
    """Facts of labelled sequences, as plain values: counts of each class, of all cases and of those for testing."""
    is_test = cases.is_test if cases.is_test is not None else np.zeros(len(cases), dtype=bool)
    of_classes = {name: cases.labels == name for name in cases.classes}
    return {
        "source": cases.source,
        "cases": len(cases),
        "test_cases": int(is_test.sum()),
        "shortest": int(cases.lengths.min()),
        "longest": int(cases.lengths.max()),
        "channels": list(cases.channels),
        "label": cases.label,
        "classes": {name: {"cases": int(own.sum()), "test_cases": int((own & is_test).sum())}
                    for name, own in of_classes.items()},
        "notes": list(cases.notes),
    }  # fmt: skip


def case_lines(facts: dict[str, Any], options: Sequence[str] = ()) -> list[str]:
    """The facts for a reader, with a command that classifies; options: of the command line, that reading needs."""
    steps = f"{facts['longest']} steps each"
    if facts["shortest"] < facts["longest"]:
        steps = f"{facts['shortest']} to {facts['longest']} steps"
    fixed = f", {facts['test_cases']} of them a fixed test part" if facts["test_cases"] else ""
    text = [
        f"{facts['source']}: {facts['cases']} sequences to classify{fixed}, {steps}, "
        f"{len(facts['channels'])} channel{'s' * (len(facts['channels']) > 1)}",
        f"classes ({facts['label']}):",
    ]
    width = max(map(len, facts["classes"]))
    text += [
        f"  {name:<{width}}  {counts['cases']} case{'s' * (counts['cases'] > 1)}"
        for name, counts in facts["classes"].items()
    ]
    text += [f"note: {note}" for note in facts["notes"]]
    return [*text, f"try: {shlex.join(['zoo', 'bench', facts['source'], *options])}"]
