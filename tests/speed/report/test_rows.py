"""Rows of speed: labels name only what differs."""

from tests.speed.report.rows import speed_row
from zoo.speed.report.rows import labels


def test_labels_name_only_what_differs():
    rows = [
        speed_row(params={"hidden_size": 32, "dropout": 0.0}),
        speed_row(params={"hidden_size": 64, "dropout": 0.0}, mode="compile"),
        speed_row("bilstm", dtype="bfloat16"),
    ]
    assert list(labels(rows).values()) == [
        "lstm (hidden_size=32)",
        "lstm (hidden_size=64), compile",
        "bilstm, bfloat16",
    ]
    assert "lstm" in labels(rows, without="hidden_size").values()
    assert list(labels(rows[2:]).values()) == ["bilstm"]
