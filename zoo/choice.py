"""zoo.select: the best model for a series within a time, from Python."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.errors import InputError, expect
from zoo.inline import IN_MEMORY, is_watched, listed, plain_value, source_of
from zoo.selection.search import Progress
from zoo.selection.select import Selection
from zoo.selection.select import select as select_model
from zoo.suite import Suite, suite_of


def select(
    data: str | Path | pd.DataFrame | pd.Series | np.ndarray,
    targets: str | Sequence[str] | None = None,
    *,
    budget_seconds: float,
    out: str | Path,
    models: Sequence[str] = ("all",),
    lookback: int | None = None,
    horizon: int = 1,
    channels: Sequence[str] | None = None,
    time: str | None = None,
    missing: str | None = None,
    outliers: str | None = None,
    jobs: int | None = None,
    seed: int = 0,
    progress: bool = True,
    **problem: Any,
) -> Selection:
    """Choose a model for a series within a time, test it once and keep it in `out`, as the command zoo select does.

    data, targets: as zoo.bench takes them; models: the variants to choose from; lookback: None tries several; problem:
    further settings of a suite's [problem], such as split, scaler, normalise, calendar and known. The Selection's
    `model` is the pick, trained on all rows, as zoo.load_model gives it. Raises InputError for a wrong request, before
    anything runs.
    """
    expect("data", data, (str, Path, pd.DataFrame, pd.Series, np.ndarray), "a path, a name, a DataFrame or an array")
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not empty: choose another out")
    chosen = {"channels": channels and list(channels), "time": time, "missing": missing, "outliers": outliers}
    settings: dict[str, Mapping[str, Any]] = {
        "data": {name: each for name, each in chosen.items() if each is not None},
        "problem": {"lookback": lookback, "horizon": horizon}
        | {name: plain_value(each) for name, each in problem.items()},
        "run": {"models": listed(models)},
    }
    is_new = not folder.exists()
    try:
        source = source_of(data, folder)
        whole = {
            **settings,
            "name": "select",
            "data": {**settings["data"], "source": source, "targets": listed(targets)},
        }
        return _selected(suite_of(whole, "zoo.select"), folder, budget_seconds, jobs, seed, progress)
    except InputError:
        if is_new and not any(path.name != IN_MEMORY for path in folder.glob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _selected(
    suite: Suite, folder: Path, budget_seconds: float, jobs: int | None, seed: int, progress: bool
) -> Selection:
    from rich.progress import Progress as Bar

    with Bar(disable=not (progress and is_watched())) as bar:
        task = bar.add_task("zoo.select", total=None)

        def tell(news: Progress) -> None:
            bar.update(task, description=f"{news.stage}: {news.scores} scores, best so far {news.best}")

        return select_model(suite, folder, budget_seconds=budget_seconds, jobs=jobs, seed=seed, on_progress=tell)
