"""select: the best model for a series within a time, judged before the test part, scored once on it, and kept."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from zoo.cell import AccuracyRow, Cell
from zoo.data.cases import Cases
from zoo.data.dataset import Data
from zoo.data.sources import load
from zoo.data.table import Table
from zoo.errors import Diverged, InputError
from zoo.files import write_text
from zoo.inline import IN_MEMORY
from zoo.problem import Normalise
from zoo.registry import variant
from zoo.report.evidence import judged
from zoo.report.folder import write_report
from zoo.run import environment
from zoo.run.bench import run_suite
from zoo.run.process import default_jobs
from zoo.run.serving import THREADS
from zoo.run.single import trained_on_all
from zoo.selection.blocks import judged_blocks
from zoo.selection.board import Board, Entry
from zoo.selection.score import Candidate
from zoo.selection.search import KINDS, MORE_TIME, NORMALISES, Progress, Search, lookbacks_for
from zoo.selection.words import reasons
from zoo.selection.workers import Workers
from zoo.space import resolve
from zoo.suite import Suite, chosen_models, expand, prepare_from
from zoo.train.config import FitConfig
from zoo.train.forecast_next import forecast_next
from zoo.train.step import torch_threads
from zoo.train.store import SavedModel, load_model, save

SHORTEST_BUDGET = 10.0  # seconds


@dataclass(frozen=True)
class Selection:
    """What was chosen.

    folder: with report.md, rows.jsonl, model, forecasts.csv and selection.json; label, lookback: of the pick; reasons:
    three sentences; table: a row for each candidate that was scored on every block, the lowest error first; row: the
    pick on the test part; seconds: all in all; is_stopped: Ctrl-C ended the search early; notes: on the data, and what
    could not be written.
    """

    folder: Path
    label: str
    lookback: int
    reasons: tuple[str, ...]
    table: pd.DataFrame
    row: AccuracyRow
    seconds: float
    is_stopped: bool
    notes: tuple[str, ...]

    @property
    def model(self) -> SavedModel:
        """The pick, trained on all rows."""
        return load_model(self.folder / "model")

    @property
    def forecasts(self) -> pd.DataFrame:
        """What it forecasts after the last row, as zoo.forecast_next gives it; raises InputError where it cannot."""
        path = self.folder / "forecasts.csv"
        if not path.exists():
            raise InputError("; ".join(self.notes) or f"{path} is missing")
        frame = pd.read_csv(path)
        return frame.assign(time=pd.to_datetime(frame["time"])) if "time" in frame else frame

    @property
    def fields(self) -> dict[str, object]:
        """What selection.json holds."""
        metrics, table = self.row.metrics, self.table.astype(object).where(np.isfinite(self.table["error_ratio"]), None)
        return {
            "pick": self.label,
            "variant": self.row.variant,
            "lookback": self.lookback,
            "normalise": self.row.problem.normalise,
            "params": self.row.params,
            "fit": self.row.fit,
            "reasons": list(self.reasons),
            "test": metrics.model_dump() if metrics is not None else None,
            "candidates": table.to_dict(orient="records"),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
            "is_stopped": self.is_stopped,
        }

    def __str__(self) -> str:
        return "\n".join([*self.reasons, "", self.table.to_string(index=False)])


def select(
    suite: Suite,
    folder: Path,
    *,
    budget_seconds: float,
    jobs: int | None = None,
    seed: int = 0,
    started: float | None = None,
    command: str | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Selection:
    """Choose among the variants of a suite for its data, within a time, and keep the choice in `folder`.

    Candidates learn from the oldest rows and are judged on up to three blocks before the test part: baselines first,
    then recurrent variants by successive halving, then settings of the best. The simplest candidate within a standard
    error of the best is the pick, so naive stays unless something is better than that. It is scored once on the test
    part, beside naive and the best of the other kind, trained anew on all rows, and saved.

    started: when the time began to run, by time.monotonic; jobs: worker processes. Ctrl-C ends the search and keeps the
    best so far. Raises InputError before anything is written.
    """
    started = time.monotonic() if started is None else started
    if not SHORTEST_BUDGET <= budget_seconds < math.inf:
        raise InputError(f"budget must be >= {SHORTEST_BUDGET:g} seconds, got {budget_seconds:g}")
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    if seed < 0:
        raise InputError(f"seed must be >= 0, got {seed}")
    if suite.fit or suite.models:
        raise InputError("zoo select chooses settings itself: leave [fit] and [models] out of the suite")
    check_folder(folder)
    if suite.data.case is not None or suite.data.test is not None or isinstance(_table_of(suite), Cases):
        raise InputError(
            f"zoo select chooses among forecasts so far, and {suite.data.source} holds sequences to classify"
        )
    settings, problem = suite.data.model_dump(), suite.problem.model_dump()
    given, needs = suite.problem.lookback, suite.problem.horizon if suite.problem.calendar or suite.problem.known else 1
    whole = prepare_from(settings, {**problem, "lookback": given or max(7, needs)})
    _check(whole, suite)
    lookbacks = [each for each in lookbacks_for(whole, given) if each >= needs] or [max(7, needs)]
    blocks = judged_blocks(
        whole, lambda split: prepare_from(settings, {**problem, "lookback": lookbacks[0], "split": split})
    )
    count = jobs or default_jobs("cpu")
    normalises = (cast(Normalise, suite.problem.normalise),) if suite.problem.normalise else NORMALISES
    search = Search(
        blocks, chosen_models(suite.run), lookbacks, normalises,
        seconds=budget_seconds, started=started, jobs=count, seed=seed, on_progress=on_progress,
    )  # fmt: skip
    is_stopped = False
    with Workers(blocks, count, seed=seed) as workers:
        try:
            search.run(workers)
        except KeyboardInterrupt:
            is_stopped = True
    board = search.board
    pick = board.pick()
    on_progress(Progress("test and report", search.scores, board.entries[pick].candidate.label, board.error(pick)))
    like = board.entries[pick].candidate
    cells = [_cell(suite, board.entries[key], like, search.training_seconds, seed) for key in _shown(board, pick)]
    run = run_suite(suite, folder, jobs=count, command=command, expanded=(cells, whole))
    if run.is_stopped:
        raise KeyboardInterrupt
    row = next(row for row in run.rows if row.key == cells[0].key)
    report = write_report(folder)
    lines = [line for each in judged(report.frame) for line in each.lines if row.key in set(line.runs["key"])]
    selection = Selection(
        folder=folder,
        label=board.entries[pick].candidate.label,
        lookback=like.lookback,
        reasons=tuple(reasons(board, pick, row, lines[0] if lines else None)),
        table=candidates_table(board),
        row=row,
        seconds=time.monotonic() - started,
        is_stopped=is_stopped,
        notes=(*whole.notes, *search.failures()),
    )
    _write(selection, budget_seconds)  # before the last training, which may fail or be stopped
    if row.error is None:
        notes = _keep(cells[0], suite, folder, row, command)
        selection = replace(selection, seconds=time.monotonic() - started, notes=(*selection.notes, *notes))
        _write(selection, budget_seconds)
    return selection


def check_folder(folder: Path) -> None:
    """Raise InputError for an output folder that holds anything but data in memory."""
    if folder.exists() and (not folder.is_dir() or any(path.name != IN_MEMORY for path in folder.iterdir())):
        raise InputError(f"{folder} exists and is not empty: choose another --out")


def _table_of(suite: Suite) -> Table | Cases:
    return load(
        suite.data.source,
        columns=suite.data.columns,
        time=suite.data.time,
        series=suite.data.series,
        only=suite.data.only,
    )


def candidates_table(board: Board) -> pd.DataFrame:
    """A row for each candidate that was scored on every block.

    Columns: label, variant, lookback, normalise, kind, error_ratio (rmse over naive's), seconds (of its longest run).
    """
    keys = sorted(board.complete(), key=board.error)
    entries = [board.entries[key] for key in keys]
    return pd.DataFrame(
        {
            "label": [entry.candidate.label for entry in entries],
            "variant": [entry.candidate.variant for entry in entries],
            "lookback": [entry.candidate.lookback for entry in entries],
            "normalise": [entry.candidate.normalise for entry in entries],
            "kind": [KINDS[entry.rank] for entry in entries],
            "error_ratio": [board.error(key) for key in keys],
            "seconds": [entry.seconds for entry in entries],
        }
    )


def _check(whole: Data, suite: Suite) -> None:
    if whole.problem.task != "forecast":
        raise InputError(f"zoo select chooses among point forecasts so far, and the task is {whole.problem.task}")
    if whole.panel is not None:
        raise InputError("zoo select chooses for one series so far: choose it with --only")
    if suite.problem.folds > 1:
        raise InputError("zoo select has blocks of its own: leave folds out")
    if whole.valid is None:
        raise InputError(f"split leaves no validation rows to stop training, got {suite.problem.split}")
    if not len(whole.test):
        raise InputError(f"split leaves no test rows, so the choice cannot be scored, got {suite.problem.split}")


def _shown(board: Board, pick: str) -> list[str]:
    """The pick, naive, and the best baseline and recurrent candidate: what the report shows."""
    keys = sorted(board.complete(), key=board.error)
    best = [next((key for key in keys if board.entries[key].rank in ranks), None) for ranks in ((0,), (1, 2, 3), (4,))]
    return list(dict.fromkeys([pick, *(key for key in best if key is not None)]))


def _cell(suite: Suite, entry: Entry, pick: Candidate, seconds: float, seed: int) -> Cell:
    """The candidate's cell, on the suite's own split; naive gets the pick's view, on which it does not depend."""
    candidate = entry.candidate
    if not entry.rank:
        candidate = replace(candidate, lookback=pick.lookback, normalise=pick.normalise)
    changes = {
        "problem": suite.problem.model_copy(update={"lookback": candidate.lookback, "normalise": candidate.normalise}),
        "run": suite.run.model_copy(update={"models": [candidate.variant], "tags": None, "seeds": [seed]}),
        "models": {candidate.variant: dict(candidate.params)},
    }
    (cell, *_), _ = expand(suite.model_copy(update=changes), device="cpu")  # as it was judged
    fit = None
    if cell.fit is not None:
        longest = MORE_TIME * max(seconds, entry.seconds)
        own = {"device": "cpu", **candidate.fit, "max_seconds": longest, "max_epochs": entry.epochs}
        fit = FitConfig.of(own).settings()
    params = resolve(variant(candidate.variant).build, dict(candidate.params), f"variant '{candidate.variant}'")
    return cell.model_copy(update={"fit": fit, "params": {**cell.params, **params}}).keyed()


def _keep(cell: Cell, suite: Suite, folder: Path, row: AccuracyRow, command: str | None) -> list[str]:
    """Save the pick, trained anew on all rows, and what it forecasts after the last of them; returns why it cannot."""
    try:
        with torch_threads(THREADS):
            model, data = trained_on_all(cell, suite, row.best_epoch or 0)
    except (InputError, Diverged) as error:
        return [f"no model was saved, since training on all rows failed: {error}"]
    about = {
        "variant": cell.variant, "seed": cell.seed, "fit": cell.fit, "split": list(cell.problem.split),
        "metrics": row.metrics.model_dump() if row.metrics is not None else None, "notes": list(data.notes),
        "rows_learned": data.split.train_end, "rows": data.rows, "commit": environment.commit(), "command": command,
    }  # fmt: skip
    save(model, folder / "model", data, variant=cell.variant, params=cell.params, about=about)
    table = _table_of(suite)
    assert isinstance(table, Table)
    try:
        forecasts = forecast_next(load_model(folder / "model"), table)
    except (InputError, Diverged) as error:  # what is known in advance is not in the file
        return [f"forecasts.csv was not written: {error}"]
    write_text(folder / "forecasts.csv", forecasts.to_csv(index=False, float_format="%.7g"))
    return []


def _write(selection: Selection, budget_seconds: float) -> None:
    text = json.dumps({**selection.fields, "budget_seconds": budget_seconds}, indent=1, default=str)
    write_text(selection.folder / "selection.json", text)
