"""The summary of speed rows is plain values."""

import json

import pytest

from tests.speed.report.rows import largest_row, speed_rows
from zoo.speed.report.summary import speed_summary


def test_summary_is_plain_values_of_every_cell():
    found = json.loads(json.dumps(speed_summary([*speed_rows(), largest_row()])))
    assert [(sheet["phase"], sheet["lookback"]) for sheet in found] == [
        ("train", 24), ("train", 96), ("infer", 24), ("infer", 96),
    ]  # fmt: skip
    cells = {(cell["label"], cell["batch_size"]): cell for cell in found[0]["cells"]}
    assert cells["lstm", 64]["windows_per_second"]["median"] == pytest.approx(64 / (3 * (4e-4 + 1e-7 * 64 * 24)))
    assert cells["lstm", "max"]["search"]["largest"] == 8192
    broken = [cell for sheet in found for cell in sheet["cells"] if cell["error"]]
    assert [cell["label"] for cell in broken] == ["stacked-lstm"]
