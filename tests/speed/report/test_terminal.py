"""Tables of speed fit the terminal."""

import io

import pytest
from rich.console import Console

from tests.speed.report.rows import speed_row, speed_rows
from zoo.speed.report.terminal import show_speed


@pytest.mark.parametrize(
    ("width", "has_parameters", "has_middle"), [(120, True, True), (60, False, True), (45, False, False)]
)
def test_terminal_tables_fit_their_width(width, has_parameters, has_middle):
    console = Console(width=width, record=True, file=io.StringIO())
    show_speed(console, speed_rows())
    text = console.export_text()
    tables = text[: text.index("Windows per second at each")]
    assert ("parameters" in tables) == has_parameters
    assert ("batch 64" in tables) == has_middle
    assert "104,781" in tables and "failed" in tables
    assert max(len(line) for line in text.splitlines()) <= width
    assert ("A wider terminal shows more columns" in " ".join(text.split())) == (not has_parameters)


def test_terminal_shows_names_that_look_like_markup_as_they_are():
    console = Console(width=120, record=True, file=io.StringIO())
    show_speed(console, [speed_row("[red]odd"), speed_row(error="[bold]Boom")])
    text = console.export_text()
    assert "[red]odd" in text and "[bold]Boom" in text
