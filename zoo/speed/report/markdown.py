"""Markdown of speed rows: report.md, the same text for the same rows."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from tabulate import tabulate

from zoo.report.board import Row
from zoo.report.text_table import escaped, markdown_table
from zoo.speed.report.method import failures, method, speed_provenance, subject
from zoo.speed.report.paths import PATHS_LEGEND, path_lines
from zoo.speed.report.rows import canonical, size_of
from zoo.speed.report.sheets import fullest, sheets
from zoo.speed.report.tables import (
    COST_LEGEND,
    LARGEST_LEGEND,
    THROUGHPUT_LEGEND,
    cost_table,
    largest_table,
    lookback_table,
    throughput_table,
)
from zoo.speed.report.trends import SCALING_LEGEND, cliff_sentences, scaling_table, scalings
from zoo.speed.report.verdict import speed_verdict
from zoo.speed.report.words import PHASES

ORDER = ("device", "variant", "phase", "mode", "dtype", "threads", "channels", "horizon", "normalise")
PICTURES = {
    "windows-per-second": "windows per second over batch size, with the range from the 5th to the 95th percentile",
    "roofline": "achieved FLOP/s over arithmetic intensity, under the measured ceilings",
    "cliffs": "time per window over the size of the model",
    "scaling": "step time over batch size and over lookback",
}
CACHES_LEGEND = (
    "On the CPU the share of the ceiling can exceed 100 %: the memory ceiling is that of main memory, and small data "
    "stay in the caches."
)
PICTURES_LEGEND = "The pictures leave baselines out, which are so much faster that nothing else could be told apart."


def speed_markdown(rows: Sequence[Row], pictures: Sequence[str] = ()) -> str:
    """The report of all speed rows; pictures are file names relative to the report, put where they belong."""
    rows = sorted(rows, key=_order)
    parts = [f"# {escaped(', '.join(sorted({row['suite'] for row in rows})))}", escaped(subject(rows))]
    first, *more = map(escaped, speed_verdict(rows))
    parts += [f"**{first}**", *more, *_throughput(rows, pictures), *_cost(rows, pictures), *_paths(rows)]
    sentences = cliff_sentences(rows)
    if sentences:
        parts += ["## Cliffs: bigger, and yet faster", _bullets(sentences), *_picture("cliffs", pictures)]
    parts += _scaling(rows, pictures)
    largest = largest_table(rows)
    if largest is not None:
        parts += ["## Largest batch", markdown_table(largest), LARGEST_LEGEND]
    parts += ["## Method", *map(escaped, method(rows))]
    failed = failures(rows)
    if failed:
        parts.append("Cells that failed:\n\n" + _bullets(failed))
    parts.append("Measured with:\n\n" + _bullets(f"{label}: {text}" for label, text in speed_provenance(rows)))
    commands = dict.fromkeys(row["command"] for row in rows if row.get("command"))
    if commands:
        parts.append("Run it again:\n\n" + "\n".join(f"    {command}" for command in commands))
    return "\n\n".join(parts) + "\n"


def _order(row: Row) -> tuple[bool, str, tuple[Any, ...]]:
    """Searches for the largest batch last, then by ORDER, then small cells before large ones."""
    return row["batch_size"] == "max", canonical([row[name] for name in ORDER]), size_of(row)


def _throughput(rows: Sequence[Row], pictures: Sequence[str]) -> list[str]:
    parts = ["## Windows per second", *_picture("windows-per-second", pictures)]
    if pictures and len({"baseline" in row["tags"] for row in rows}) > 1:
        parts.append(PICTURES_LEGEND)
    found = sheets(rows)
    full = fullest(found)
    for sheet in full:
        parts += [f"### {escaped(sheet.title)}", markdown_table(throughput_table(sheet))]
    for place, phase in dict.fromkeys((sheet.place, sheet.phase) for sheet in found):
        others = [sheet for sheet in found if sheet not in full and (sheet.place, sheet.phase) == (place, phase)]
        table = lookback_table(others)
        if table is not None:
            title = f"{PHASES[phase].capitalize()}, other lookbacks{others[0].suffix}"
            parts += [f"### {escaped(title)}", markdown_table(table)]
    return [*parts, THROUGHPUT_LEGEND]


def _cost(rows: Sequence[Row], pictures: Sequence[str]) -> list[str]:
    parts = ["## Cost of a step, and how near it comes to the ceiling", *_picture("roofline", pictures)]
    for sheet in fullest(sheets(rows)):
        if sheet.common:
            batch = sheet.common[-1]
            title = escaped(f"{sheet.title}, batch {batch:,}")
            parts += [f"### {title}", markdown_table(cost_table(sheet, batch))]
    parts.append(COST_LEGEND)
    return [*parts, CACHES_LEGEND] if any(row["device"] == "cpu" for row in rows) else parts


def _paths(rows: Sequence[Row]) -> list[str]:
    header = ("variant", "phase", "where", "expected forward", "expected backward", "seen, share of time")
    lines = [[escaped(text) for text in line] for line in path_lines(rows)]
    if not lines:
        return []
    table = tabulate(lines, header, tablefmt="pipe", disable_numparse=True)
    return ["## Why: the paths taken", table, PATHS_LEGEND]


def _scaling(rows: Sequence[Row], pictures: Sequence[str]) -> list[str]:
    found = scalings(rows)
    if not found:
        return []
    parts = ["## Scaling", *_picture("scaling", pictures)]
    for over in ("batch_size", "lookback"):
        table = scaling_table(found, over)
        if table is not None:
            parts += [f"### Step time over {over.replace('_', ' ')}", markdown_table(table)]
    return [*parts, SCALING_LEGEND]


def _picture(name: str, pictures: Sequence[str]) -> list[str]:
    """The picture of this name, if it was drawn."""
    return [f"![{PICTURES[name]}]({path})" for path in pictures if PurePosixPath(path).stem == name]


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)
