"""Sheets: one for each phase, lookback and place."""

from tests.speed.report.rows import speed_row, speed_rows
from zoo.speed.report.sheets import sheets


def test_sheets_are_by_phase_and_lookback_and_their_lines_fastest_first():
    found = sheets(speed_rows())
    assert [(sheet.phase, sheet.lookback) for sheet in found] == [
        ("train", 24), ("train", 96), ("infer", 24), ("infer", 96),
    ]  # fmt: skip
    assert [line.label for line in found[0].lines] == ["linear", "lstm", "bilstm", "stacked-lstm"]
    assert found[0].title == "Training, lookback 24"


def test_other_devices_and_machines_have_sheets_of_their_own():
    other = {"cpu": "a cpu", "cores": 2, "system": "an OS", "gpu": "a gpu"}
    found = sheets([speed_row(), speed_row(device="cuda", machine=other)])
    assert [sheet.title for sheet in found] == [
        "Training, lookback 24, machine a cpu, device cpu",
        "Training, lookback 24, machine a gpu, device cuda",
    ]
