"""report.md of speed rows has all that the rows hold, and is the same for the same rows."""

import copy
import io

from rich.console import Console

from tests.speed.report.rows import bare_row, largest_row, scaling_rows, speed_row, speed_rows, sweep_rows
from zoo.report.text_table import escaped
from zoo.speed.report.markdown import speed_markdown
from zoo.speed.report.summary import speed_summary
from zoo.speed.report.terminal import show_speed


def test_markdown_holds_every_section_in_order():
    pictures = ["windows-per-second.png", "roofline.png", "cliffs.png", "scaling.png"]
    text = speed_markdown([*speed_rows(), largest_row(), *sweep_rows(), *scaling_rows()], pictures)
    parts = [
        "# speed\n", "**Training at batch", "## Windows per second", "](windows-per-second.png)",
        "### Training, lookback 24", "### Inference, lookback 96", "### Training, other lookbacks", "## Cost of a step",
        "](roofline.png)", "can exceed 100 %", "## Why: the paths taken", "## Cliffs", "](cliffs.png)", "## Scaling",
        "](scaling.png)", "## Largest batch", "## Method", "Cells that failed:",
        "- stacked-lstm, training at batch 512, lookback 96: RuntimeError: out of \\| memory", "- machine: a cpu",
        "Run it again:\n\n    zoo speed --out x\n",
    ]  # fmt: skip
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)


def test_markdown_is_the_same_text_for_the_same_rows_in_any_order():
    rows = [*speed_rows(), largest_row(), *sweep_rows(), *scaling_rows()]
    before = copy.deepcopy(rows)
    assert speed_markdown(rows) == speed_markdown(rows[::-1])
    assert rows == before


def test_markdown_leaves_out_sections_without_rows():
    text = speed_markdown([speed_row(device="cuda")])
    for part in ("## Cliffs", "## Scaling", "## Largest batch", "Cells that failed", "can exceed 100 %", "!["):
        assert part not in text, part


def test_names_cannot_become_markup():
    odd = "<b>|*x*"
    text = speed_markdown([speed_row(odd), speed_row("lstm", error="a|b\n<i>")])
    assert "<b>" not in text and "<i>" not in text
    assert escaped(odd) in text
    bars = {line.count("|") - line.count("\\|") for line in text.splitlines()}
    assert bars == {0, 4, 7, 11}  # no table, and tables of 3, 6 and 10 columns


def test_rows_with_null_fields_or_errors_break_nothing():
    bare = [bare_row(row) if row["error"] is None else row for row in speed_rows()]
    failed = [speed_row(batch=batch, error="Boom: it broke") for batch in (64, "max")]
    for rows in (bare, failed, [*bare, *failed]):
        text = speed_markdown(rows)
        assert "None" not in text
        assert len(speed_summary(rows)) > 0
        show_speed(Console(file=io.StringIO()), rows)
