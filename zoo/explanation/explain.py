"""explain: what a fitted model's forecasts rest on, by every method that applies to it."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.data.cases import Cases
from zoo.data.dataset import Data
from zoo.data.sources import load
from zoo.data.table import Table
from zoo.errors import InputError, expect, expect_names, unknown
from zoo.explanation.attention import Attention, attention_weights
from zoo.explanation.gates import Gates, gates_over_time
from zoo.explanation.gradients import Attributions, integrated_gradients
from zoo.explanation.kept import kept_data
from zoo.explanation.lags import Group, lag_groups
from zoo.explanation.parts import input_names, part_of, some_of
from zoo.explanation.permutation import Importance, permutation_importance
from zoo.explanation.seen import seen_of
from zoo.layers.model import WITH_TASK, Model
from zoo.layers.normalised import Normalised
from zoo.problem import Problem
from zoo.train.predict import check_windows
from zoo.train.store import SavedModel

METHODS = ("permutation", "integrated-gradients", "attention", "gates")
WINDOWS, REPEATS = 500, 5


@dataclass(frozen=True)
class Explanation:
    """What was measured on `windows` of the `available` windows of one part.

    name: of the variant; channels: what each input is called; importance, attributions, attention, gates: None or empty
    where the method was not asked for or does not apply; notes: for the user to read. str() gives the answer.
    """

    name: str
    source: str
    problem: Problem
    part: str
    windows: int
    available: int
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    groups: tuple[Group, ...]
    importance: Importance | None = None
    attributions: Attributions | None = None
    attention: Attention | None = None
    gates: tuple[Gates, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """A table for each method that applied: importance, attributions, attention, gates."""
        parts: dict[str, Any] = {
            "importance": self.importance, "attributions": self.attributions, "attention": self.attention,
        }  # fmt: skip
        frames = {name: each.frame for name, each in parts.items() if each is not None}
        if self.gates:
            frames["gates"] = pd.concat([each.frame for each in self.gates], ignore_index=True)
        return frames

    def __str__(self) -> str:
        from zoo.explanation.words import answer

        return "\n".join(answer(self))


def explain(
    model: Model | SavedModel,
    data: Data | Table | Cases | str | Path | pd.DataFrame,
    *,
    methods: Sequence[str] | None = None,
    part: str | None = None,
    windows: int = WINDOWS,
    repeats: int = REPEATS,
    each_lag: bool = False,
    seed: int = 0,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Explanation:
    """What the forecasts of a fitted model rest on.

    model: of zoo.create, with the data of zoo.prepare; or a saved one, also with a table, whose rows then are what they
    were in the fit. methods: permutation, integrated-gradients, attention, gates (default: those that apply); part:
    test, validation, train or all (default: test, or what is nearest to it); windows: at most so many, evenly spread;
    repeats: how often each input is shuffled; each_lag: shuffle every lag by itself, not in groups.

    Runs where the model's parameters lie; the model is left in eval mode. Raises InputError for a method that is named
    and does not apply, and for a part without windows.
    """
    expect("model", model, (Normalised, *WITH_TASK, SavedModel), "what zoo.create or zoo.load_model returns")
    for argument, value, least in (("windows", windows, 2), ("repeats", repeats, 2), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{argument} must be a whole number >= {least}, got {value!r}")
    expect_names("methods", methods)
    for name in methods or ():
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    is_of_fit = True
    if not isinstance(model, SavedModel):
        expect("data", data, Data, "what zoo.prepare returns, for a model that is not a saved one")
    if isinstance(model, SavedModel) and not isinstance(data, Data):
        table = data if isinstance(data, Table | Cases) else load(data, **model.reading)
        data, is_of_fit = kept_data(model, table)
    assert isinstance(data, Data)
    if data.categories:
        raise InputError(
            f"the model has categories ({', '.join(data.categories)}), whose vectors cannot be explained so far: "
            "fit it without --categories"
        )
    own = model.model if isinstance(model, SavedModel) else model
    problem = own.problem
    chosen, every, notes = part_of(data, part, is_of_fit=is_of_fit)
    check_windows(own, every, "data")
    tensor = next(iter([*own.parameters(), *own.buffers()]), None)
    samples = some_of(every, windows).to(tensor.device if tensor is not None else "cpu")
    if len(samples) < 2:
        raise InputError(f"the {chosen} part has one window, and inputs are shuffled between windows: choose another")
    on_progress("reading what the variant sees")
    seen, channels = seen_of(own, samples), input_names(data)
    length = problem.lookback
    groups = tuple((lag, lag) for lag in range(1, length + 1)) if each_lag else lag_groups(length)
    steps = len(channels) * (len(groups) + 1) + 1
    done = itertools.count(1)
    run: dict[str, Callable[[], Any]] = {
        "permutation": lambda: permutation_importance(
            seen,
            samples,
            channels,
            groups,
            repeats=repeats,
            seed=seed,
            on_step=lambda: on_progress(f"permutation: {next(done)} of {steps} inputs"),
        ),
        "integrated-gradients": lambda: integrated_gradients(seen, channels, data.targets),
        "attention": lambda: attention_weights(seen),
        "gates": lambda: gates_over_time(seen),
    }
    measured: dict[str, Any] = {}
    for name in METHODS if methods is None else methods:
        on_progress(name)
        try:
            measured[name] = run[name]()
        except InputError as error:
            if methods is not None:
                raise
            notes.append(f"{name} left out: {error}")
    return Explanation(
        name=model.file.variant if isinstance(model, SavedModel) else type(own.variant).__name__,
        source=data.source,
        problem=problem,
        part=chosen,
        windows=len(samples),
        available=len(every),
        channels=channels,
        targets=data.targets,
        groups=groups,
        importance=measured.get("permutation"),
        attributions=measured.get("integrated-gradients"),
        attention=measured.get("attention"),
        gates=measured.get("gates", ()),
        notes=tuple(notes),
    )
