"""zoo.bench: a benchmark from Python, with its results as a table, sentences, forecasts and pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zoo.data.cases import Cases
from zoo.data.moves import MOVES
from zoo.errors import InputError, expect
from zoo.files import write_text
from zoo.inline import in_folder, is_watched, listed, plain_value, source_of
from zoo.report.board import Board
from zoo.report.chart import canvas_of
from zoo.report.evidence import judged, stored_of
from zoo.report.folder import report_run
from zoo.report.formats import as_text
from zoo.report.pictures import board_figures
from zoo.report.summary import summary_frame
from zoo.report.tables import accuracy_table
from zoo.report.text_table import html_table, html_text, plain_text
from zoo.report.verdict import verdict
from zoo.run.bench import run_suite
from zoo.run.executor import Event
from zoo.run.pace import expected_seconds
from zoo.run.predictions import Stored
from zoo.run.results import results
from zoo.suite import suite_of
from zoo.tracking.tracking import tracking_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

USUAL = ("naive", "seasonal-naive", "ridge", "gradient-boosting", "lstm", "gru", "hybrid-lstm")
FORMATS = {".html": "html", ".md": "md", ".tex": "latex", ".csv": "csv", ".json": "json"}


@dataclass(frozen=True, eq=False)
class Results:
    """What zoo.bench measured: its rows and predictions lie in `folder`, which an equal call goes on from."""

    folder: Path
    keys: frozenset[str]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Each measured run, as zoo.results gives them."""
        frame = results(self.folder)
        return frame[frame["key"].isin(self.keys)]

    @cached_property
    def board(self) -> Board:
        """The variants beside each other, best first."""
        return judged(self.rows)[0]

    @property
    def table(self) -> pd.DataFrame:
        """A row for each variant, best first: the mean of each metric over seeds, their deviation, skill's interval."""
        frame = summary_frame([self.board]).set_index("variant")
        means = [name for name in frame if name.endswith("_mean") and frame[name].notna().any()]
        short = {name: name.removesuffix("_mean") for name in means}
        columns = [*means, "skill_deviation", "skill_interval_low", "skill_interval_high", "beats_naive", "seeds"]
        return frame[[name for name in columns if name in frame]].rename(columns=short)

    @property
    def best(self) -> str:
        """The variant with the highest skill of those without failed runs."""
        return self.board.lines[0].label

    @property
    def verdict(self) -> str:
        """Should one use a recurrent model here, and what does that rest on?"""
        return "\n".join(verdict(self.board))

    def forecasts(self) -> pd.DataFrame:
        """Every forecast of the test part: a row for each variant, seed, window, step and target.

        Columns: variant, seed, row (of the first step), time (of it, where the data have times), series (where there
        are several), step, target, actual, forecast, and the quantiles (q10, ...) where they were forecast. Of
        directions forecast is the probability of a rise, and actual 1 or 0; of moves it is the mean of -1, 0 and 1 by
        their probabilities, which are in down, flat and up. Of sequences that were classified a row for each variant,
        seed and case: variant, seed, case (its name), actual, forecast, and p_NAME for each class.
        """
        frames = []
        for line in self.board.lines:
            for _, run in line.runs.iterrows():
                stored = stored_of(run)
                if stored is None:
                    continue
                if stored.classes:
                    frames.append(_classes_of(line.label, run["seed"], stored))
                    continue
                count, steps, targets = stored.forecast.shape
                window, step, target = (part.ravel() for part in np.indices((count, steps, targets)))
                columns: dict[str, Any] = {"variant": line.label, "seed": run["seed"], "row": stored.target_row[window]}
                if stored.time is not None:
                    columns["time"] = stored.time[window]
                if stored.series is not None:
                    columns["series"] = np.array(stored.series_names)[stored.series[window]]
                columns |= {"step": step + 1, "target": np.array(self.board.targets)[target]}
                columns |= {"actual": stored.truth.ravel(), "forecast": stored.forecast.ravel()}
                if stored.quantiles is not None:
                    for place, level in enumerate(stored.levels):
                        columns[f"q{100 * level:g}"] = stored.quantiles[..., place].ravel()
                if stored.moves is not None:
                    columns |= {name: stored.moves[..., place].ravel() for place, name in enumerate(MOVES)}
                frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def plot(self, name: str = "forecast") -> "Figure":
        """A picture: `forecast` (the last forecasts of the best variant) or `skill` (of every seed)."""
        figures = board_figures([self.board])
        if f"{name}.png" not in figures:
            known = ", ".join(file.removesuffix(".png") for file in figures) or "none"
            raise InputError(f"there is no picture '{name}' here: {known}")
        return canvas_of(figures[f"{name}.png"])

    def report(self, path: str | Path) -> Path:
        """Write the whole report; the ending says how: .html, .md, .tex, .csv or .json. Raises InputError."""
        path = Path(path)
        if path.suffix not in FORMATS:
            raise InputError(f"a report ends in {', '.join(FORMATS)}, got {path.name}")
        write_text(path, as_text(self.rows, FORMATS[path.suffix]))  # type: ignore[arg-type]
        return path

    def __repr__(self) -> str:
        text = plain_text(accuracy_table(self.board))
        return "\n".join([self.board.title, "", verdict(self.board)[0], "", text])

    def _repr_html_(self) -> str:
        return html_text(self.board.title, verdict(self.board)[0]) + html_table(accuracy_table(self.board))


def _classes_of(label: str, seed: Any, stored: Stored) -> pd.DataFrame:
    """The classes that a run gave to the test cases."""
    classes = np.array(stored.classes)
    names = stored.cases if stored.cases is not None else stored.target_row  # earlier files lack them
    actual, chosen = (classes[each[:, 0].argmax(axis=1)] for each in (stored.truth, stored.forecast))
    frame = pd.DataFrame({"variant": label, "seed": seed, "case": names, "actual": actual, "forecast": chosen})
    return frame.assign(**{f"p_{name}": stored.forecast[:, 0, place] for place, name in enumerate(stored.classes)})


def bench(
    data: str | Path | pd.DataFrame | pd.Series | np.ndarray | Cases,
    targets: str | Sequence[str] | None = None,
    *,
    models: Sequence[str] = USUAL,
    seeds: int = 3,
    lookback: int | None = None,
    horizon: int = 1,
    fit: Mapping[str, Any] | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    channels: Sequence[str] | None = None,
    time: str | None = None,
    series: str | None = None,
    only: str | None = None,
    case: str | None = None,
    label: str | None = None,
    missing: str | None = None,
    outliers: str | None = None,
    out: str | Path | None = None,
    jobs: int | None = None,
    progress: bool = True,
    track: str | None = None,
    on_event: Callable[[Event], None] | None = None,
    **problem: Any,
) -> Results:
    """Train and score variants on data, each on several seeds in worker processes, as the command zoo bench does.

    data: a path, a built-in name, a DataFrame (its index may be the time), a Series or an array [rows] or [rows,
    columns], or what zoo.cases returns; targets: what to forecast, needed where there are several columns, and none
    where sequences are classified (case, label: as zoo.load takes them); models: names, or ["all"]; fit:
    settings of FitConfig; params: of variants, by name; out: folder of the results, where the same call goes on after
    an interruption (default: one that lasts as long as the results); track: `tensorboard:DIR` or `mlflow:URI`, which
    gets each run, its curves and the report; on_event: called with an Event when a run begins,
    with each of its epochs (event.epoch: its number, train_loss and valid_loss) and with its row; problem: further
    settings of a suite's [problem], such as split, scaler, normalise, quantiles, conformal, adaptive, direction,
    calendar, known, folds and sliding.

    Raises InputError for a wrong request, before anything runs. Ctrl-C leaves what was measured in `out`.
    """
    known = (str, Path, pd.DataFrame, pd.Series, np.ndarray, Cases)
    expect("data", data, known, "a path, a name, a DataFrame or an array")
    chosen = {"channels": channels and list(channels), "time": time, "series": series, "only": only}
    chosen |= {"missing": missing, "outliers": outliers}
    if isinstance(data, Cases):
        if data.is_test is not None:
            raise InputError("cases with a test part of their own come from files: name the file, such as X_TRAIN.ts")
        case, label, data = "case", data.label, data.frame()
    chosen |= {"case": case, "label": label}
    settings = {
        "data": {name: each for name, each in chosen.items() if each is not None},
        "problem": {"lookback": lookback, "horizon": horizon}
        | {name: plain_value(each) for name, each in problem.items()},
        "fit": dict(fit or {}),
        "models": {name: dict(own) for name, own in (params or {}).items()},
    }
    how = {"jobs": jobs, "progress": progress, "track": track, "on_event": on_event}
    return in_folder(out, lambda folder: _bench(data, targets, folder, models, seeds, settings, **how))


def _bench(
    data: Any,
    targets: Any,
    folder: Path,
    models: Sequence[str],
    seeds: int,
    settings: dict[str, Any],
    *,
    jobs: Any,
    progress: Any,
    track: Any,
    on_event: Any,
) -> Results:
    source = source_of(data, folder)
    whole = {
        **settings,
        "name": "bench",
        "data": {**settings["data"], "source": source, "targets": listed(targets)},
        "run": {"models": listed(models), "seeds": seeds},
    }
    from rich.progress import Progress

    suite = suite_of(whole, "zoo.bench")
    with Progress(disable=not (progress and is_watched())) as bar, tracking_of(track, suite.name) as tracking:
        run = run_suite(
            suite,
            folder,
            jobs=jobs,
            tracking=tracking,
            on_plan=lambda plan: _listener(bar, plan, on_event),
            expect=expected_seconds,
        )
        if run.is_stopped:
            raise KeyboardInterrupt
        tracking.log(partial(report_run, folder, suite.name))
    return Results(folder, frozenset(row.key for row in run.rows))


def _listener(bar: Any, plan: Any, on_event: Any) -> Any:
    task = bar.add_task("zoo.bench", total=len(plan.waiting))

    def listen(event: Event) -> None:
        bar.update(task, description=f"{event.cell.variant} seed {event.cell.seed}", advance=int(event.row is not None))
        if on_event is not None:
            on_event(event)

    return listen
