"""One accuracy cell: create, fit, evaluate once on test, keep the predictions, return the row."""

import hashlib
import io
import json
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.data.prepare import Data
from zoo.files import write_atomically
from zoo.metrics import forecast_metrics
from zoo.registry import create, variant
from zoo.run import environment
from zoo.run.store import Row
from zoo.suite import ROW_SCHEMA, Cell, prepare_from
from zoo.train.config import FitConfig
from zoo.train.evaluate import forecast
from zoo.train.fit import Epoch, History, fit

THREADS = 1  # of every worker: two are slower than one for models this small, and change the sums


def measure(cell: Cell, out: Path, context: dict[str, Any], on_epoch: Callable[[Epoch], None]) -> Row:
    """The row of one cell; an exception of any kind becomes a row with `error`.

    context: the fields that all cells of a run share (commit, command). Test predictions go to
    OUT/predictions/<key>.npz: forecast float32 [n, T, D] in the data's units, train_loss float32 [E] of each epoch and
    valid_loss [E + 1], whose first is from before training (empty where there is none). What they are compared with
    stands once for all cells, in OUT/predictions/truth-<hash>.npz: truth [n, T, D], last [n, D], target_row [n],
    time [n] where the data have it, and deviation [D], the unit of scaled errors.
    """
    row = blank_row(cell, context)
    try:
        torch.manual_seed(0)  # for a variant that draws even in eval mode: same cell, same figures
        data = _prepared(json.dumps(cell.data), json.dumps(cell.problem))
        if data.fingerprint != cell.data["fingerprint"]:
            raise RuntimeError(f"{cell.data['source']} has changed since the run began: start it again")
        if variant(cell.variant).plugin != cell.plugin:
            raise RuntimeError(
                f"the source of variant '{cell.variant}' has changed since the run began: start it again"
            )
        model = create(cell.variant, data.problem, seed=cell.seed, **cell.params)
        config = FitConfig.of({**(cell.fit or {}), "device": cell.device})
        history = fit(model, data.train, data.valid, config, seed=cell.seed, on_epoch=on_epoch)
        forecasts = forecast(model, data.test)
        metrics = forecast_metrics(forecasts, data.test.truth(), data.test.last(), data.test.units)
        count = sum(parameter.numel() for parameter in model.parameters())
        row |= {"metrics": metrics, "parameter_count": count, **_training(history)}
        row |= _keep_predictions(out, cell, data, forecasts, history)
    except Exception as error:  # whatever a variant does wrong costs its own cell only
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def blank_row(cell: Cell, context: dict[str, Any]) -> Row:
    """A cell's row before it is measured: all that was asked, and where."""
    return {
        "key": cell.key,
        "suite": cell.suite,
        "variant": cell.variant,
        "tags": list(cell.tags),
        "seed": cell.seed,
        "params": cell.params,
        "metrics": None,
        "train_seconds": None,
        "windows_per_second": None,
        "epochs": None,
        "best_epoch": None,
        "stopped": None,
        "fallback": None,
        "parameter_count": None,
        "device": cell.device,
        "threads": THREADS,
        "dtype": "float32",
        "problem": cell.problem,
        "data": cell.data,
        "fit": cell.fit,
        "tuning": cell.tuning,
        "plugin": cell.plugin,
        "predictions": None,
        "truth": None,
        "machine": environment.machine(cell.device),
        "versions": environment.versions(),
        **context,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "error": None,
        "schema": ROW_SCHEMA,
    }


@lru_cache(maxsize=2)
def _prepared(data: str, problem: str) -> Data:
    return prepare_from(json.loads(data), json.loads(problem))


def _training(history: History) -> dict[str, Any]:
    speeds = [epoch.windows_per_second for epoch in history.epochs]
    return {
        "train_seconds": history.seconds,
        "windows_per_second": statistics.median(speeds) if speeds else None,
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch,
        "stopped": history.stopped,
        "fallback": history.fallback,
    }


def _keep_predictions(out: Path, cell: Cell, data: Data, forecasts: np.ndarray, history: History) -> dict[str, str]:
    folder = out / "predictions"
    folder.mkdir(parents=True, exist_ok=True)
    asked = json.dumps([cell.data["fingerprint"], cell.problem], sort_keys=True)
    truth = folder / f"truth-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.npz"
    if not truth.exists() or b"deviation.npy" not in truth.read_bytes():  # an earlier version kept less
        rows = data.test.target_rows()
        arrays = {"truth": data.test.truth(), "last": data.test.last(), "target_row": rows}
        arrays["deviation"] = data.test.units.deviation
        if data.time is not None:
            arrays["time"] = data.time.to_numpy()[rows]
        write_atomically(truth, _npz(arrays))
    kept = folder / f"{cell.key}.npz"
    valid = [history.initial_valid_loss, *(epoch.valid_loss for epoch in history.epochs)]
    losses = {
        "train_loss": [epoch.train_loss for epoch in history.epochs],
        "valid_loss": [loss for loss in valid if loss is not None],
    }
    arrays = {"forecast": forecasts, **{name: np.array(values) for name, values in losses.items()}}
    write_atomically(kept, _npz({name: values.astype(np.float32) for name, values in arrays.items()}))
    return {"predictions": f"predictions/{kept.name}", "truth": f"predictions/{truth.name}"}


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
