"""Rows for tests: a valid one of each kind, with changes."""

from typing import Any

from zoo.cell import AccuracyRow, Row, row_from

METRICS = dict.fromkeys(
    ("rmse", "mae", "mse", "r2", "mape", "smape", "mase", "directional_accuracy", "skill", "scaled_mse", "scaled_mae"),
    0.5,
)
MACHINE = {"cpu": "a processor", "cores": 2, "system": "Linux x86_64", "gpu": None}
ACCURACY: dict[str, Any] = {
    "kind": "accuracy",
    "key": "a" * 64,
    "suite": "mine",
    "variant": "lstm",
    "tags": ["lstm"],
    "seed": 0,
    "params": {"hidden_size": 8},
    "data": {
        "source": "prices.csv", "fingerprint": "f" * 64, "rows": 300, "columns": None, "time": None,
        "missing": "refuse", "first": "2020-01-01", "last": "2021-02-23", "notes": [],
    },
    "problem": {
        "task": "forecast", "lookback": 7, "horizon": 1, "channels": ["open", "close"], "targets": ["close"],
        "split": [210, 30, 60], "scaler": "standard", "normalise": "last",
    },
    "fit": {"max_epochs": 20, "learning_rate": 0.001},
    "device": "cpu",
    "tuning": None,
    "code": {"kind": "zoo", "name": "zoo.models.lstm", "sha256": "c" * 64},
    "metrics": METRICS,
    "train_seconds": 1.5,
    "windows_per_second": 2000.0,
    "epochs": 20,
    "best_epoch": 4,
    "stopped": "patience",
    "fallback": None,
    "parameter_count": 100,
    "threads": 1,
    "dtype": "float32",
    "predictions": None,
    "truth": None,
    "machine": MACHINE,
    "versions": {"python": "3.11", "torch": "2.13.0"},
    "commit": "1234567",
    "command": "zoo bench prices.csv --targets close",
    "started": "2026-11-25T12:00:00+00:00",
    "error": None,
    "traceback": None,
    "schema_version": 2,
}  # fmt: skip


def accuracy_row(**changes: Any) -> AccuracyRow:
    """A row of zoo bench; changes: fields by name, merged where both are objects."""
    row = row_from(merged(ACCURACY, changes))
    assert isinstance(row, AccuracyRow)
    return row


def failed_row(**changes: Any) -> Row:
    """A row of a cell that failed."""
    nothing = dict.fromkeys(("metrics", "train_seconds", "windows_per_second", "epochs", "parameter_count"))
    return accuracy_row(**{**nothing, "error": "Diverged: the loss is nan", "traceback": "errors/aaaa.txt", **changes})


def merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of content with changes over it, where both hold an object field by field."""
    nested = {
        name: merged(content[name], value)
        for name, value in changes.items()
        if isinstance(value, dict) and isinstance(content.get(name), dict) and name not in ("params", "fit")
    }
    return {**content, **changes, **nested}
