"""fitted, fit_and_save: one variant from data to a trained model, and to a saved one, by a suite of one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cell import Cell
from zoo.data.cases import Cases
from zoo.data.dataset import Data
from zoo.data.table import Table
from zoo.errors import InputError
from zoo.layers.committee import Committee
from zoo.layers.model import Model
from zoo.registry import variant
from zoo.run import environment
from zoo.run.serving import THREADS
from zoo.run.tracked import Training
from zoo.run.tuned import read_tuned, tuned_cells
from zoo.run.worker import naive_of, trained
from zoo.suite import Suite, expand, prepare_from
from zoo.tracking.tracking import NOWHERE, Tracking
from zoo.train.descent import Epoch
from zoo.train.evaluate import evaluate
from zoo.train.step import torch_threads
from zoo.train.store import SavedModel, check_model_folder, saved_model, write_model


@dataclass(frozen=True)
class Fitted:
    """A trained model and the data that it learned; tested: the model of the first training and its data, which the
    figures in `about` are of (the same two where there was no further training)."""

    cell: Cell
    model: Model
    data: Data
    tested: tuple[Model, Data]
    about: dict[str, Any]
    training: Training

    def end_tracking(self, texts: dict[str, str] | None = None) -> None:
        """Give the tracker the figures, and texts by the names of their files."""
        count = sum(parameter.numel() for parameter in self.model.parameters())
        self.training.end({**self.about, "parameter_count": count}, texts or {})

    @property
    def saved(self) -> SavedModel:
        """What load_model would give once it is saved."""
        return saved_model(self.model, self.data, variant=self.cell.variant, params=self.cell.params, about=self.about)


def fit_and_save(suite: Suite, folder: Path, **how: Any) -> dict[str, Any]:
    """Train the suite's one cell, save the model in `folder`, and return the figures of training and test.

    how: as fitted takes it. Raises InputError before training for a folder that cannot be used.
    """
    check_model_folder(folder)
    outcome = fitted(suite, **how)
    write_model(outcome.saved, folder)
    outcome.end_tracking({"model.json": (folder / "model.json").read_text(encoding="utf-8")})
    return outcome.about


def fitted(
    suite: Suite,
    *,
    table: Table | Cases | None = None,
    device: str = "auto",
    tuned: Path | None = None,
    refit: bool = False,
    command: str | None = None,
    fingerprint: str | None = None,
    tracking: Tracking = NOWHERE,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fitted:
    """The model of the suite's one cell, trained, with the figures of training and test.

    metrics is None where the split leaves no test rows. Runs on one CPU thread, like a benchmark's cell,
    so that both give the same model. table: what the suite's source holds, where it is loaded. tuned: a folder that zoo
    tune wrote, whose settings are used. refit: train once more, as trained_on_all does; the figures are those of the
    first training. fingerprint: of the data that the settings were chosen on; a note says where they are others.
    tracking: gets each epoch; whoever calls ends it. Raises InputError before training.
    """
    cells, data = expand(suite, device=device, needs_test=False, table=table)
    if len(cells) > 1:
        raise InputError(f"zoo fit trains one variant, got {', '.join(cell.variant for cell in cells)}: name one")
    (cell,) = cells
    if tuned is not None:
        (cell,) = tuned_cells([cell], data, read_tuned(tuned, [cell.variant]))
        data = data.with_lookback(cell.problem.lookback)
    is_changed = fingerprint is not None and fingerprint != data.fingerprint
    changed = "the data differ from those of the run that the settings come from" if is_changed else None
    training = Training(tracking, suite.name, cell, command)

    def listen(epoch: Epoch) -> None:
        training.on_epoch(epoch)
        if on_epoch is not None:
            on_epoch(epoch)

    with torch_threads(THREADS):
        model, history = trained(cell, data, listen)
        naive = naive_of(data) if data.problem.task != "forecast" else None
        metrics = evaluate(model, data.test, naive=naive) if len(data.test) else None
        tested, seen, rows = (model, data), data.split.train_end, data.rows
        is_again = refit and bool(history.best_epoch or not _repeats_epochs(cell))
        if is_again:
            model, data = trained_on_all(cell, suite, history.best_epoch, listen, table)
            seen, rows = data.split.train_end, data.rows
    about = {
        "variant": cell.variant,
        "seed": cell.seed,
        "fit": cell.fit,
        "split": list(cell.problem.split),
        "split_of_each": list(cell.problem.split_of_each),
        "metrics": metrics,
        "notes": [*data.notes, *filter(None, [history.warning, changed])],
        "parameter_count": sum(parameter.numel() for parameter in model.parameters()),
        "train_seconds": history.seconds,
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch,
        "is_trained_again": is_again,
        "rows_learned": seen,
        "rows": rows,
        "commit": environment.commit(),
        "command": command,
    }
    return Fitted(cell, model, data, tested, about, training)


def trained_on_all(
    cell: Cell,
    suite: Suite,
    best_epoch: int,
    on_epoch: Callable[[Epoch], None] | None = None,
    table: Table | Cases | None = None,
) -> tuple[Model, Data]:
    """A cell's model trained anew on every row of the suite's data, and these data.

    What gradient descent trains learns all rows, for `best_epoch` epochs. Anything else that needs validation rows, and
    what is solved, learns the oldest 90 % and takes the others, at least a horizon of them, for validation.
    """
    has_epochs = best_epoch > 0 and _repeats_epochs(cell)
    newest = max(0.1, (cell.problem.horizon + 1) / cell.data.rows)
    split = [1.0, 0.0, 0.0] if has_epochs else [1 - newest, newest, 0.0]
    problem = {**suite.problem.model_dump(), "split": split}
    problem |= {"lookback": cell.problem.lookback, "normalise": cell.problem.normalise}
    data = prepare_from(suite.data.model_dump(), problem, table)
    if has_epochs:
        cell = cell.model_copy(update={"fit": {**(cell.fit or {}), "max_epochs": best_epoch}})
    return trained(cell, data, on_epoch)[0], data


def _repeats_epochs(cell: Cell) -> bool:
    """Whether gradient descent for as many epochs gives the model anew, without validation rows: not where these choose
    its settings, weigh its members or calibrate it."""
    is_descent = cell.fit is not None and not issubclass(variant(cell.variant).build, Committee)
    return is_descent and not cell.problem.is_conformal
