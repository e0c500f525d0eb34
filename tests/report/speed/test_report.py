"""report.md and the terminal have all that the rows hold, and are the same for the same rows."""

import io

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from tests.rows import accuracy_row
from tests.throughput.rows import bare_row, frame, largest_row, many_rows, scaling_rows, speed_row, sweep_rows, tabled
from zoo.errors import InputError
from zoo.report.folder import draw, write_report
from zoo.report.markdown import markdown
from zoo.report.speed import speed_section
from zoo.report.speed_pictures import speed_charts
from zoo.report.terminal import show
from zoo.report.text_table import escaped
from zoo.run.store import RowStore

pytestmark = pytest.mark.slow

LARGEST = 120_000  # bytes of a picture
NAMES = ["windows-per-second.png", "roofline.png", "cliffs.png", "scaling.png"]


def all_rows():
    return [*many_rows(), largest_row(), *sweep_rows(), *scaling_rows()]


def shown(rows, width):
    console = Console(width=width, record=True, file=io.StringIO())
    show(console, [], speed_section(frame(rows), is_brief=True))
    return console.export_text()


def speed_markdown(given, pictures=()):
    return markdown([], pictures=pictures, speed=speed_section(given))


def draw_speed(rows, folder):
    figures = speed_charts(rows)
    draw(figures, folder)
    return list(figures)


def test_markdown_holds_every_section_in_order():
    text = speed_markdown(frame(all_rows()), NAMES)
    parts = [
        "# speed\n", "## Speed: speed\n", "**Training at batch", "### Windows per second: Training, lookback 24",
        "- Inference at batch", "### Windows per second: Inference, lookback 96",
        "### Windows per second: Training, lookback 12", "](windows-per-second.png)",
        "### Cost of a step: Training, lookback 24, batch", "can exceed 100 %", "](roofline.png)",
        "### Where the time goes", "### Cliffs", "](cliffs.png)", "### Scaling: Step time over batch size",
        "](scaling.png)", "### Largest batch", "### Failed runs",
        "- stacked-lstm, training at batch 512, lookback 96: RuntimeError: out of \\| memory",
        "### How it was measured",
        "- machine: cpu a cpu", "Run it again:\n\n    zoo speed --out x\n",
    ]  # fmt: skip
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)


def test_markdown_is_the_same_text_for_the_same_rows_in_any_order():
    rows = all_rows()
    given = frame(rows)
    before = given.copy(deep=True)
    assert speed_markdown(given) == speed_markdown(frame(rows[::-1]))
    assert given.equals(before)


def test_markdown_leaves_out_sections_and_pictures_without_rows():
    text = speed_markdown(frame([speed_row(device="cuda")]))
    for part in ("# Cliffs", "# Scaling", "# Largest batch", "# Failed runs", "![", "left out"):
        assert part not in text.replace("columns left out", ""), part


def test_rows_of_accuracy_are_no_part_of_the_report():
    both = frame([speed_row(), accuracy_row()])
    assert speed_markdown(both) == speed_markdown(frame([speed_row()]))
    assert speed_section(frame([accuracy_row()])) is None


def test_names_cannot_become_markup():
    odd = "<b>|*x*"
    text = speed_markdown(frame([speed_row(odd), speed_row("lstm", error="a|b\n<i>")]))
    assert "<b>" not in text and "<i>" not in text
    assert escaped(odd) in text
    columns = [line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")]
    assert set(columns) == {4, 11}  # tables of 3 and 10 columns


def test_rows_with_null_fields_or_errors_break_nothing():
    bare = [bare_row(row) if row.error is None else row for row in many_rows()]
    failed = [speed_row(batch=batch, error="Boom: it broke") for batch in (64, "max")]
    swept = [bare_row(row) for row in (*sweep_rows(), *scaling_rows(), speed_row("bilstm"))]
    for rows in (bare, failed, [*bare, *failed], swept):
        text = speed_markdown(frame(rows))
        assert "None" not in text and "nan" not in text
        shown(rows, 80)


@pytest.mark.parametrize(
    ("width", "has_parameters", "has_middle"), [(120, True, True), (80, True, True), (45, False, False)]
)
def test_terminal_tables_fit_their_width(width, has_parameters, has_middle):
    text = shown(many_rows(), width)
    tables = "\n".join(line for line in text.splitlines() if line[:1] in ("┃", "│"))
    assert ("parameters" in tables) == has_parameters
    assert ("batch 64" in tables) == has_middle
    assert "104,781" in tables and "failed" in tables
    assert max(len(line) for line in text.splitlines()) <= width
    assert ("A wider terminal shows more columns" in " ".join(text.split())) == (not has_parameters)


def test_terminal_of_80_columns_keeps_the_ends_of_many_batch_sizes():
    rows = [speed_row(name, batch=4**power) for name in ("lstm", "stacked-lstm") for power in range(9)]
    text = shown(rows, 80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "batch 1 " in text and "65,536" in text and "parameters" not in text.split("Windows per second at")[0]


def test_terminal_shows_names_that_look_like_markup_as_they_are():
    text = shown([speed_row("[red]odd"), speed_row(error="[bold]Boom")], 120)
    assert "[red]odd" in text and "[bold]Boom" in text


def test_report_and_pictures_are_written_beside_the_rows(tmp_path):
    store = RowStore(tmp_path / "out")
    for row in many_rows():
        store.append(row)
    store.close()
    write_report(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"rows.jsonl", "report.md", *NAMES[:2]}
    assert "](roofline.png)" in (tmp_path / "out/report.md").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="no rows in"):
        write_report(tmp_path)


def test_each_picture_opens_and_is_not_blank(tmp_path):
    names = draw_speed(tabled([*many_rows(), *sweep_rows(), *scaling_rows()]), tmp_path)
    assert names == NAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        pixels = matplotlib.image.imread(tmp_path / name)
        colours = {tuple(colour) for colour in (pixels[::2, ::2, :3].reshape(-1, 3) * 255).astype(int)}
        assert min(pixels.shape[:2]) > 250
        assert len(colours) > 20, name
        assert (pixels[..., :3].min(axis=2) < 0.9).mean() > 0.005, name
        assert (tmp_path / name).stat().st_size < LARGEST


def test_a_picture_without_rows_for_it_is_not_drawn_and_an_old_one_goes(tmp_path):
    (tmp_path / "mine.png").write_bytes(b"mine")
    (tmp_path / "cliffs.png").write_bytes(b"old, of lstm-zoo")
    assert draw_speed(tabled([speed_row(error="Boom: it broke"), speed_row(batch="max")]), tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]
    assert draw_speed(tabled(many_rows()), tmp_path) == NAMES[:2]
    assert draw_speed(tabled([bare_row(row) for row in scaling_rows()]), tmp_path) == [NAMES[0], NAMES[3]]
    assert draw_speed(tabled(sweep_rows()), tmp_path) == NAMES[:3]


def test_the_same_rows_give_the_same_bytes_in_any_order(tmp_path):
    rows = [*sweep_rows(), *scaling_rows()]
    written = []
    for name, chosen in (("first", rows), ("second", rows[::-1])):
        (tmp_path / name).mkdir()
        names = draw_speed(tabled(chosen), tmp_path / name)
        written.append([(tmp_path / name / picture).read_bytes() for picture in names])
    assert written[0] == written[1]


def test_baselines_do_not_flatten_the_rest(tmp_path):
    rows = many_rows()
    without = [row for row in rows if "baseline" not in row.tags]
    pictures = []
    for chosen in (rows, without):
        draw_speed(tabled(chosen), tmp_path)
        pictures.append(matplotlib.image.imread(tmp_path / NAMES[0]))
    assert np.array_equal(*pictures)


def test_baselines_alone_are_drawn(tmp_path):
    assert NAMES[0] in draw_speed(tabled([row for row in many_rows() if "baseline" in row.tags]), tmp_path)


def test_names_that_look_like_formulas_are_drawn_as_they_are(tmp_path):
    assert draw_speed(tabled([speed_row("a$b_{$"), speed_row("a\\b^c"), speed_row("x" * 60)]), tmp_path)
