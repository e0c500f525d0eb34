"""What a tracker shows of a cell, of its row, and of a training that goes on now."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cell import AccuracyRow, Cell
from zoo.run.predictions import stored
from zoo.run.results import flat
from zoo.tracking.run import Curves, Run, key_of, metrics_from, settings_from
from zoo.tracking.tracking import Tracking

if TYPE_CHECKING:
    from zoo.train.descent import Epoch

SETTINGS = {"variant", "seed", "params", "data", "problem", "fit", "device"}
FIGURES = ("valid_skill", "train_seconds", "windows_per_second", "parameter_count", "epochs", "best_epoch")


def group_run(folder: Path, suite: str) -> Run:
    """All that a folder holds of a suite."""
    return Run(key_of(folder.resolve(), suite), folder.name, suite)


def row_run(row: AccuracyRow, folder: Path, group: Run) -> Run:
    """A measured cell; what was measured again is another run."""
    named = {
        "error": row.error, "warning": row.warning, "stopped": row.stopped, "commit": row.commit,
        "command": row.command, "machine": row.machine.gpu or row.machine.cpu,
    }  # fmt: skip
    figures = row.model_dump(include={*FIGURES})
    return Run(
        key=key_of(row.key, row.started),
        name=_name(row),
        suite=group.suite,
        group=group.key,
        state="finished" if row.error is None else "failed",
        parameters={**_parameters(row), "threads": row.threads, "dtype": row.dtype},
        curves=_curves(row, folder),
        metrics=metrics_from(figures) | metrics_from(flat(row.metrics.model_dump()) if row.metrics else {}, "test/"),
        tags={name: value for name, value in named.items() if value is not None},
        started=datetime.fromisoformat(row.started),
        seconds=row.train_seconds,
    )


class Training:
    """A training that a tracker shows epoch by epoch; `run`: as far as it has come."""

    def __init__(self, tracking: Tracking, suite: str, cell: Cell, command: str | None) -> None:
        now = datetime.now().astimezone()
        tags = {"command": command} if command is not None else {}
        self.tracking, self.section = tracking, ""
        self.run = Run(key_of(cell.key, now), _name(cell), suite, parameters=_parameters(cell), tags=tags, started=now)
        tracking.begin(self.run)

    def on_epoch(self, epoch: "Epoch") -> None:
        """Add the epoch; a second epoch 1 begins the training on all rows."""
        if epoch.number == 1 and self.run.curves:
            self.section = "refit/"
        values = {
            "train_loss": epoch.train_loss, "valid_loss": epoch.valid_loss, "epoch_seconds": epoch.seconds,
            "windows_per_second": epoch.windows_per_second,
        }  # fmt: skip
        curves = dict(self.run.curves)
        for name, value in metrics_from(values, self.section).items():
            curves[name] = {**curves.get(name, {}), epoch.number: value}
        self.run = run = replace(self.run, curves=curves)
        self.tracking.log(lambda: run)

    def end(self, figures: dict[str, Any], texts: dict[str, str]) -> None:
        """Add the figures of the training, the metrics of the test part, and texts, by the names of their files."""
        metrics = metrics_from({name: figures.get(name) for name in FIGURES})
        metrics |= metrics_from(flat(figures["metrics"] or {}), "test/")
        run = replace(self.run, state="finished", metrics=metrics, texts=texts)
        self.tracking.log(lambda: run)


def _name(cell: Cell) -> str:
    fold = f" fold {cell.problem.fold + 1}" if cell.problem.folds > 1 else ""
    return f"{cell.variant}{' tuned' * (cell.tuning is not None)} seed {cell.seed}{fold}"


def _parameters(cell: Cell) -> dict[str, bool | int | float | str]:
    """The settings of a cell, by the names of zoo.results."""
    values = flat(cell.model_dump(include=SETTINGS))
    return settings_from({name: value for name, value in values.items() if name != "data.notes"})


def _curves(row: AccuracyRow, folder: Path) -> Curves:
    """The losses of each epoch, 0: before training."""
    predictions = stored(folder, row.predictions, row.truth)
    if predictions is None or predictions.train_loss is None or predictions.valid_loss is None:
        return {}
    losses = {"train_loss": predictions.train_loss, "valid_loss": predictions.valid_loss}
    curves = {
        name: {step: float(value) for step, value in enumerate(values, start=int(name == "train_loss"))}
        for name, values in losses.items()
    }
    return {name: points for name, points in curves.items() if points}
