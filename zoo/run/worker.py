"""The worker of accuracy cells: create, fit, evaluate once on test, store the predictions, return the row.

zoo.run.executor starts it.
"""

import statistics
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from zoo.cell import AccuracyRow, Cell, DataFields, ProblemFields
from zoo.data.prepare import Data
from zoo.files import write_atomically
from zoo.layers.normalised import Normalised
from zoo.metrics import forecast_metrics
from zoo.records import record_from
from zoo.registry import create, variant
from zoo.run import environment, predictions
from zoo.run.serving import THREADS, Hear, Message, Say
from zoo.suite import prepare_from
from zoo.train.config import FitConfig
from zoo.train.evaluate import forecast
from zoo.train.fit import Epoch, History, fit


def measure(cell: Cell, folder: Path, context: dict[str, Any], on_epoch: Callable[[Epoch], None]) -> AccuracyRow:
    """The row of one cell; an exception of any kind becomes a row with `error`.

    context: the fields that all cells of a run share (commit, command). Predictions go to folder/predictions, the
    traceback of a failure to folder/errors.
    """
    try:
        torch.manual_seed(0)  # for a variant that draws even in eval mode: same cell, same figures
        data = _prepared(cell.data, cell.problem)
        if data.fingerprint != cell.data.fingerprint:
            raise RuntimeError(f"{cell.data.source} has changed since the run began: start the run again")
        if cell.code is not None and variant(cell.variant).code.sha256 != cell.code.sha256:
            raise RuntimeError(
                f"the source of variant '{cell.variant}' has changed since the run began: start the run again"
            )
        model, history = trained(cell, data, on_epoch)
        forecasts = forecast(model, data.test)
        speeds = [epoch.windows_per_second for epoch in history.epochs]
        figures = {
            "metrics": forecast_metrics(forecasts, data.test.truth(), data.test.last(), data.test.units),
            "parameter_count": sum(parameter.numel() for parameter in model.parameters()),
            "train_seconds": history.seconds,
            "windows_per_second": statistics.median(speeds) if speeds else None,
            "epochs": len(history.epochs),
            "best_epoch": history.best_epoch,
            "stopped": history.stopped,
            "fallback": history.fallback,
            **predictions.store(folder, cell, data, forecasts, history),
        }
        (folder / error_file(cell)).unlink(missing_ok=True)
        return row_of(cell, context, **figures)
    except Exception as error:  # a fault of a variant costs its own cell only
        return failed(cell, folder, context, f"{type(error).__name__}: {error}", traceback.format_exc())


def trained(cell: Cell, data: Data, on_epoch: Callable[[Epoch], None] | None) -> tuple[Normalised, History]:
    """A cell's model, trained on its data."""
    model = create(cell.variant, data.problem, seed=cell.seed, **cell.params)
    config = FitConfig.of({**(cell.fit or {}), "device": cell.device})
    return model, fit(model, data.train, data.valid, config, seed=cell.seed, on_epoch=on_epoch)


def row_of(cell: Cell, context: dict[str, Any], **figures: Any) -> AccuracyRow:
    """The row of a cell: its figures, and where and when they were measured."""
    fields = {
        **cell.model_dump(),
        **figures,
        **context,
        "threads": (cell.fit or {}).get("threads", THREADS),
        "machine": environment.machine(cell.device),
        "versions": environment.versions(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return record_from(AccuracyRow, fields)


def failed(cell: Cell, folder: Path, context: dict[str, Any], error: str, details: str) -> AccuracyRow:
    """The row of a cell that failed; details (a traceback, or what the worker wrote) go to a file that it names."""
    name: str | None = error_file(cell)
    try:
        (folder / error_file(cell)).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / error_file(cell), f"{cell.variant}, seed {cell.seed}\n{details}".encode())
    except OSError:  # a full disk must not hide the error itself
        name = None
    return row_of(cell, context, error=error, traceback=name)


def error_file(cell: Cell) -> str:
    """The file, beside the rows, with the traceback of a cell that failed."""
    return f"errors/{cell.key[:16]}.txt"


@lru_cache(maxsize=2)
def _prepared(data: DataFields, problem: ProblemFields) -> Data:
    return prepare_from(data.model_dump(mode="json"), problem.model_dump(mode="json"))


def answer(request: Message, say: Say, _: Hear) -> Message:
    """The row of the cell in a request; each epoch is an event."""

    def on_epoch(epoch: Epoch) -> None:
        say({"epoch": epoch.number, "valid_loss": epoch.valid_loss, "train_loss": epoch.train_loss})

    return {"row": measure(request["cell"], request["folder"], request["context"], on_epoch)}
