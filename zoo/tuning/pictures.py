"""Pictures of a study, drawn by Optuna's matplotlib backend."""

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

_pyplot = threading.Lock()  # pyplot has one current figure for all threads
SIZES = {"parallel": (15, 6), "pareto": (8, 6)}  # inches


def draw(study: optuna.Study, objectives: tuple[str, ...], folder: Path) -> list[str]:
    """Write PNG files into folder and return sentences on those that could not be drawn.

    history.png, importances.png and parallel.png show the first objective; pareto.png the front of two or three.
    """
    from optuna.visualization import matplotlib as plots

    first: dict[str, Any] = {"target_name": objectives[0]}
    if len(objectives) > 1:
        first["target"] = lambda trial: trial.values[0]
    plots_by_name: dict[str, Callable[[], Any]] = {
        "history": lambda: plots.plot_optimization_history(study, **first),
        "importances": lambda: plots.plot_param_importances(study, **first),
        "parallel": lambda: plots.plot_parallel_coordinate(study, **first),
    }
    if len(objectives) in (2, 3):
        plots_by_name["pareto"] = lambda: plots.plot_pareto_front(study, target_names=list(objectives))
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    notes = []
    for name, plot in plots_by_name.items():
        try:
            if len(complete) < 2:
                raise ValueError("fewer than two trials are complete")
            _save(plot, folder / f"{name}.png")
        except (ValueError, RuntimeError, ZeroDivisionError) as error:
            (folder / f"{name}.png").unlink(missing_ok=True)
            notes.append(f"{name}.png could not be drawn: {' '.join(str(error).split())}")
    return notes


def _save(plot: Callable[[], Any], path: Path) -> None:
    import matplotlib.pyplot as plt

    with _pyplot, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of experimental features, and of layouts that do not quite fit
        try:
            plot()
            figure = plt.gcf()
            figure.set_size_inches(*SIZES.get(path.stem, (9, 5)))
            for axes in figure.axes if path.stem == "parallel" else ():
                axes.grid(visible=False)  # each axis has its own ticks: one grid belongs to none
            figure.savefig(path, dpi=110, bbox_inches="tight")
        finally:
            plt.close("all")
