"""Pictures of speed: PNG files that open, show something, and are the same for the same rows."""

import matplotlib.image
import numpy as np

from tests.speed.report.rows import bare_row, scaling_rows, speed_row, speed_rows, sweep_rows
from zoo.speed.report.pictures import draw

LARGEST = 120_000  # bytes


def test_each_picture_opens_and_is_not_blank(tmp_path):
    names = draw([*speed_rows(), *sweep_rows(), *scaling_rows()], tmp_path)
    assert names == ["windows-per-second.png", "roofline.png", "cliffs.png", "scaling.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        pixels = matplotlib.image.imread(tmp_path / name)
        colours = {tuple(colour) for colour in (pixels[::2, ::2, :3].reshape(-1, 3) * 255).astype(int)}
        assert min(pixels.shape[:2]) > 250
        assert len(colours) > 20, name
        assert (pixels[..., :3].min(axis=2) < 0.9).mean() > 0.005, name
        assert (tmp_path / name).stat().st_size < LARGEST


def test_a_picture_without_rows_for_it_is_not_drawn(tmp_path):
    assert draw([], tmp_path) == []
    assert draw([speed_row(error="Boom: it broke"), speed_row(batch="max")], tmp_path) == []
    assert draw(speed_rows(), tmp_path) == ["windows-per-second.png", "roofline.png"]
    assert draw([bare_row(row) for row in scaling_rows()], tmp_path) == ["windows-per-second.png", "scaling.png"]
    assert draw(sweep_rows(), tmp_path) == ["windows-per-second.png", "roofline.png", "cliffs.png"]


def test_pictures_that_nothing_is_left_to_show_for_are_deleted_and_other_files_kept(tmp_path):
    (tmp_path / "mine.png").write_bytes(b"mine")
    assert len(draw([*speed_rows(), *sweep_rows(), *scaling_rows()], tmp_path)) == 4
    names = draw(speed_rows(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "mine.png"])
    assert draw([], tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


def test_the_same_rows_give_the_same_bytes_in_any_order(tmp_path):
    rows = [*sweep_rows(), *scaling_rows()]
    found = []
    for name, chosen in (("first", rows), ("second", rows[::-1])):
        (tmp_path / name).mkdir()
        names = draw(chosen, tmp_path / name)
        found.append([(tmp_path / name / picture).read_bytes() for picture in names])
    assert found[0] == found[1]


def test_baselines_do_not_flatten_the_rest(tmp_path):
    rows = speed_rows()
    without = [row for row in rows if "baseline" not in row["tags"]]
    pictures = []
    for chosen in (rows, without):
        draw(chosen, tmp_path)
        pictures.append(matplotlib.image.imread(tmp_path / "windows-per-second.png"))
    assert np.array_equal(*pictures)


def test_baselines_alone_are_drawn(tmp_path):
    rows = [row for row in speed_rows() if "baseline" in row["tags"]]
    assert "windows-per-second.png" in draw(rows, tmp_path)


def test_names_that_look_like_formulas_are_drawn_as_they_are(tmp_path):
    assert draw([speed_row("a$b_{$"), speed_row("a\\b^c"), speed_row("x" * 60)], tmp_path)
