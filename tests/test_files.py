"""What is written comes into place whole, where the user wants it, and replaces nothing else."""

import errno
import os
import stat

import pytest

from zoo.errors import InputError
from zoo.files import check_contents, check_folder, clear_drafts, remove_picture, write_atomically, write_text
from zoo.report.chart import Chart, Series, png

DEAD = 2**22 + 1  # above the largest number that Linux gives a process


def test_a_link_is_refused_and_neither_followed_nor_replaced(tmp_path):
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("link", "dangling"):
        with pytest.raises(InputError, match="is a symbolic link, in the way of a file"):
            write_text(tmp_path / name, "new")
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "target").read_text() == "mine" and not (tmp_path / "nowhere").exists()


def test_devices_pipes_and_folders_are_refused_and_stay(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path, kind in ((tmp_path / "pipe", "a pipe"), (tmp_path / "folder", "a folder")):
        with pytest.raises(InputError, match=f"is {kind}, in the way of a file"):
            write_text(path, "new")
    with pytest.raises(InputError, match="/dev/null is a device"):
        write_text(__import__("pathlib").Path("/dev/null"), "new")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_the_mode_of_a_file_stays(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("old")
    path.chmod(0o600)
    write_text(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)


def test_a_full_disk_leaves_the_old_file_and_is_one_line(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "report.md"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot write .*report.md: No space left on device"):
        write_text(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["report.md"]


@pytest.mark.parametrize("name", [".", "", "/", "../{here}"])
def test_the_working_folder_and_the_root_are_no_output_folders(tmp_path, monkeypatch, name):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="--out must be a folder of its own, such as results/mine"):
        check_folder(Path(name.format(here=tmp_path.name)))


@pytest.mark.parametrize("name", ["report.md", "rows.jsonl", "skill.png", "best.json"])
@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_in_the_way_is_said(tmp_path, name, kind):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).mkdir() if kind == "folder" else (out / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=f"{name} is a .*{kind}, in the way of a file: remove it"):
        check_contents(out)


def test_predictions_must_be_a_folder_of_the_output_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "predictions").symlink_to(tmp_path)
    with pytest.raises(InputError, match="predictions must be a folder"):
        check_contents(tmp_path / "out")


def test_drafts_of_dead_processes_are_cleared_and_others_stay(tmp_path):
    names = [f".rows.jsonl.{DEAD}", f".rows.jsonl.{os.getpid()}", f".mine.{DEAD}", "rows.jsonl", ".hidden"]
    for name in names:
        (tmp_path / name).write_text("")
    clear_drafts(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:])


def test_only_pictures_of_the_zoo_are_removed(tmp_path):
    png([[Chart("", "", "", [Series("", [0, 1], [0, 1])])]], tmp_path / "skill.png")
    (tmp_path / "mine.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "link.png").symlink_to(tmp_path / "skill.png")
    for name in ("mine.png", "link.png", "absent.png"):
        remove_picture(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["link.png", "mine.png", "skill.png"]
    remove_picture(tmp_path / "skill.png")
    assert not (tmp_path / "skill.png").exists()


def test_an_interruption_leaves_no_draft(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "rows.jsonl", b"new")
    assert os.listdir(tmp_path) == []
