"""Of sequences that were classified: the confusion of classes, and each variant case by case against a baseline."""

from collections.abc import Mapping

import numpy as np

from zoo.report.board import Board
from zoo.report.chart import Chart, Series
from zoo.report.section import Captioned
from zoo.report.tables import p_value
from zoo.report.text_table import Text, TextTable, table_of
from zoo.run.predictions import Stored
from zoo.stats.mcnemar import mcnemar
from zoo.stats.timings import holm

LARGEST = 34.0  # pixels of a marker that stands for all cases of a class
PAIRS = (
    "Of the first seed of each variant: test cases that it alone gets right, and that {rival}, the best baseline, "
    "alone gets right. p: McNemar's exact test, with Holm's correction over the table; bold below 0.05."
)


def confusion(board: Board, stored: Mapping[str, Stored]) -> list[Chart]:
    """For the best line's first seed: how many cases of each actual class were given to each class."""
    label, best = next(iter(stored.items()), ("", None))
    if best is None:
        return []
    counts = confusion_counts(best)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    series = [
        Series("", [chosen], [actual], "markers", int(actual != chosen), opacity=0.7,
               size=LARGEST * shares[actual, chosen] ** 0.5, text=[str(counts[actual, chosen])],
               hover=[f"{board.classes[actual]}: {counts[actual, chosen]} cases given to {board.classes[chosen]}"])
        for actual, chosen in np.argwhere(counts > 0)
    ]  # fmt: skip
    size = len(board.classes)
    chart = Chart(
        f"Classes that {label} gives to the cases of each class",
        "forecast class",
        "actual class",
        series,
        x_names=board.classes,
        y_names=board.classes,
        width=2.5 + 0.6 * size,
        height=1.6 + 0.5 * size,
        note="Of the first seed. Cases on the diagonal are right. The area of a dot is its share of the actual class.",
    )
    return [chart]


def confusion_counts(stored: Stored) -> np.ndarray:
    """int [K, K]: how many cases of each actual class (row) were given to each class (column)."""
    actual, chosen = (values[:, 0].argmax(axis=1) for values in (stored.truth, stored.forecast))
    size = len(stored.classes)
    return np.bincount(actual * size + chosen, minlength=size * size).reshape(size, size)


def pairs_table(board: Board, stored: Mapping[str, Stored]) -> Captioned | None:
    """Each variant against the best baseline, case by case; None where there are no two to compare."""
    is_baseline = {line.label: line.is_baseline for line in board.lines}
    rival = next((label for label in stored if is_baseline[label]), None)
    others = [label for label in stored if not is_baseline[label]]
    if rival is None or not others:
        return None
    results = [mcnemar(_is_right(stored[label]), _is_right(stored[rival])) for label in others]
    lines: list[dict[str, str | Text]] = [
        {
            "variant": label,
            "right": f"{_is_right(stored[label]).sum()} of {len(stored[label].truth)}",
            "it alone": str(alone),
            "baseline alone": str(rival_alone),
            "p": Text(p_value(p), p < 0.05),
        }
        for label, (alone, rival_alone, _), p in zip(others, results, holm([p for *_, p in results]), strict=True)
    ]
    table: TextTable = table_of(lines)
    return Captioned(f"Case by case against {rival}", table, PAIRS.format(rival=rival))


def _is_right(stored: Stored) -> np.ndarray:
    return np.asarray(stored.forecast[:, 0].argmax(axis=1) == stored.truth[:, 0].argmax(axis=1))
