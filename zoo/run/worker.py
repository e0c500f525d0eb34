"""The worker of accuracy cells: create, fit, evaluate once on test, store the predictions, return the row.

zoo.run.executor starts it.
"""

import statistics
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from zoo.cell import AccuracyRow, Cell, DataFields, ProblemFields
from zoo.data.dataset import Data
from zoo.errors import Diverged
from zoo.files import write_atomically
from zoo.layers.model import Model
from zoo.records import record_from
from zoo.registry import create, variant
from zoo.run import environment, predictions
from zoo.run.serving import THREADS, Hear, Message, Say
from zoo.suite import prepare_from
from zoo.train.config import FitConfig
from zoo.train.descent import Epoch, History
from zoo.train.evaluate import evaluate, forecast, scores
from zoo.train.fit import fit, fit_many


def measure(
    cells: Sequence[Cell],
    folder: Path,
    context: dict[str, Any],
    on_epoch: Callable[[str, Epoch], None],
    prepared: Callable[[DataFields, ProblemFields], Data] | None = None,
) -> list[AccuracyRow]:
    """The rows of cells that differ in nothing but their seed; an exception becomes a row with `error`.

    context: the fields that all cells of a run share (commit, command). Predictions go to folder/predictions, the
    traceback of a failure to folder/errors. on_epoch: called with the cell's key. prepared: gives the data of a
    problem; by default they are read from their source.
    """
    first = cells[0]
    try:
        torch.manual_seed(0)  # for a variant that draws even in eval mode: same cell, same figures
        data = (prepared or _prepared)(first.data, first.problem)
        if data.fingerprint != first.data.fingerprint:
            raise RuntimeError(f"{first.data.source} has changed since the run began: start the run again")
        if first.code is not None and variant(first.variant).code.sha256 != first.code.sha256:
            raise RuntimeError(
                f"the source of variant '{first.variant}' has changed since the run began: start the run again"
            )
        models = [create(cell.variant, data.problem, seed=cell.seed, **cell.params) for cell in cells]
        configs = [_config(cell) for cell in cells]
        seeds = [cell.seed for cell in cells]
        outcomes = fit_many(
            models, data.train, data.valid, configs, seeds=seeds,
            on_epoch=lambda place, epoch: on_epoch(cells[place].key, epoch),
        )  # fmt: skip
    except Exception as error:  # a fault of a variant costs its own cell only
        if len(cells) > 1:
            return [row for cell in cells for row in measure([cell], folder, context, on_epoch, prepared)]
        return [_broken(first, folder, context, error)]
    return [
        _measured(cell, data, model, outcome, folder, context)
        for cell, model, outcome in zip(cells, models, outcomes, strict=True)
    ]


def _measured(
    cell: Cell, data: Data, model: Model, outcome: History | Diverged, folder: Path, context: dict[str, Any]
) -> AccuracyRow:
    """The row of a trained model, evaluated once on test."""
    try:
        if isinstance(outcome, Diverged):
            raise outcome
        forecasts = forecast(model, data.test)
        naive_model = naive_of(data) if data.problem.task != "forecast" else None
        naive = forecast(naive_model, data.test) if naive_model is not None else None
        speeds = [epoch.windows_per_second for epoch in outcome.epochs]
        figures = {
            "metrics": scores(forecasts, naive, data.test, model),
            "valid_skill": _valid_skill(model, naive_model, data, outcome),
            "parameter_count": sum(parameter.numel() for parameter in model.parameters()),
            "train_seconds": outcome.seconds,
            "windows_per_second": statistics.median(speeds) if speeds else None,
            "epochs": len(outcome.epochs),
            "best_epoch": outcome.best_epoch,
            "stopped": outcome.stopped,
            "gradient_norm": statistics.fmean(epoch.gradient_norm for epoch in outcome.epochs) if speeds else None,
            "clipped": statistics.fmean(epoch.clipped for epoch in outcome.epochs) if speeds else None,
            "warning": outcome.warning,
            "fallback": outcome.fallback,
            "together": outcome.together if outcome.together > 1 else None,
            **predictions.store(folder, cell, data, forecasts, naive, outcome),
        }
        (folder / error_file(cell)).unlink(missing_ok=True)
        return row_of(cell, context, **figures)
    except Exception as error:
        return _broken(cell, folder, context, error)


def _valid_skill(model: Model, naive: Model | None, data: Data, history: History) -> float | None:
    """Skill on the validation part; None without one, and where the model was solved once more with its windows."""
    if data.valid is None or history.held_out_loss is not None:
        return None
    try:
        skill: float | None = evaluate(model, data.valid, naive=naive)["skill"]
        return skill
    except Diverged:
        return None


def _broken(cell: Cell, folder: Path, context: dict[str, Any], error: Exception) -> AccuracyRow:
    details = "".join(traceback.format_exception(error))
    return failed(cell, folder, context, f"{type(error).__name__}: {error}", details)


def _config(cell: Cell) -> FitConfig:
    return FitConfig.of({**(cell.fit or {}), "device": cell.device})


def trained(cell: Cell, data: Data, on_epoch: Callable[[Epoch], None] | None) -> tuple[Model, History]:
    """A cell's model, trained on its data."""
    model = create(cell.variant, data.problem, seed=cell.seed, **cell.params)
    return model, fit(model, data.train, data.valid, _config(cell), seed=cell.seed, on_epoch=on_epoch)


def naive_of(data: Data) -> Model:
    """The fitted naive that the skill of quantiles and of directions is measured against."""
    model = create("naive", data.problem)
    fit(model, data.train, data.valid, FitConfig(device="cpu"))
    return model


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
    """The rows of the cells in a request; each epoch of a cell is an event."""

    def on_epoch(key: str, epoch: Epoch) -> None:
        say({"key": key, "epoch": epoch.number, "valid_loss": epoch.valid_loss, "train_loss": epoch.train_loss})

    return {"rows": measure(request["cells"], request["folder"], request["context"], on_epoch)}
