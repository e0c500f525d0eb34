"""Suites: a TOML file (or the same settings by hand) becomes cells, each one training run to measure."""

import itertools
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from zoo.cell import Cell, DataFields, ProblemFields, TaskFields
from zoo.data.cases import Cases
from zoo.data.dataset import Data
from zoo.data.known_file import KnownFile, check_same, check_there
from zoo.data.prepare import prepare
from zoo.data.sources import NAMES, READING, load
from zoo.data.spacing import spacing, stamp
from zoo.data.split import Fold
from zoo.data.table import Table
from zoo.errors import InputError, Unsuitable
from zoo.files import read_input
from zoo.layers.model import Model
from zoo.records import Record, Word, checked
from zoo.registry import check_forecast, create, list_models, named, require_here, variant
from zoo.space import resolve
from zoo.timeout import time_limit
from zoo.train.config import FitConfig
from zoo.train.fit import check_step, resolve_device
from zoo.train.step import check_loss

MOST_SEEDS = 10_000
MOST_FOLDS = 1_000


class DataSettings(Record):
    """[data]: where the numbers are, and which of them are used.

    targets: names, or ["all"]; series: the column that tells several series apart; only: the one to take; case, label:
    of a table of sequences to classify, the columns of the cases and of their classes; test: a file with the cases of
    the test part; categories: columns that name kinds; outliers: clip or hampel; file: what a file that the user brings
    has to be.
    """

    source: str
    targets: list[str] = Field(default=[])
    channels: list[str] | None = None
    columns: list[str] | None = None
    time: str | None = None
    missing: str | None = None
    series: str | None = None
    only: str | None = None
    case: str | None = None
    label: str | None = None
    test: str | None = None
    categories: list[str] | None = None
    outliers: str | None = None
    file: KnownFile | None = None


class ProblemSettings(Record):
    """[problem]: what is forecast from what.

    quantiles: levels to forecast in place of the point; conformal: they are calibrated on the validation part;
    adaptive: they follow their own hits and misses; direction: forecast whether the target rises, or with a size of
    flat, such as "0.5%", whether it falls, stays flat or rises; calendar: periods whose position is a further input;
    known: columns whose coming values are known; folds: blocks of the test part, before each of which models are
    trained anew; sliding: on as many rows each time. None: the default of zoo.prepare.
    """

    lookback: int | None = None
    horizon: int = 1
    split: list[int | float | str | date] | None = None
    scaler: str = "standard"
    normalise: str | None = None
    quantiles: list[float] = Field(default=[])
    conformal: bool = False
    adaptive: bool = False
    direction: bool | str = False
    calendar: list[str] = Field(default=[])
    known: list[str] = Field(default=[])
    folds: int = 1
    sliding: bool = False


class RunSettings(Record):
    """[run]: which variants, how often. models: names, files (`./mine.py`) or ["all"]; tags: all variants with one of
    them; seeds: how many, or which."""

    models: list[str] | None = None
    tags: list[str] | None = None
    seeds: int | list[int] = 5


class TuneSettings(Record):
    """[tune]: how a study of each variant searches; folds: validation parts of each trial; `fix` and `range` by key,
    see zoo.tuning.search."""

    trials: int | None = None
    timeout: float | None = None
    seed: int = 0
    repeats: int = 1
    folds: int = 1
    sampler: str = "tpe"
    pruner: str | None = None
    objectives: list[str] = Field(default=["valid_loss"])
    fix: dict[str, Any] = Field(default={})
    range: dict[str, Any] = Field(default={})


class Published(Record):
    """A figure from a paper on the very problem of a suite: of what model, in deviations of the training rows."""

    model: str
    scaled_mse: float
    scaled_mae: float
    source: str


class Suite(Record):
    """A whole suite; `fit` are FitConfig's settings, `models` parameters of single variants; `published`: figures that
    a report shows beside those of its rows."""

    name: Word
    data: DataSettings
    problem: ProblemSettings = ProblemSettings()
    run: RunSettings = RunSettings()
    fit: dict[str, Any] = Field(default={})
    models: dict[str, dict[str, Any]] = Field(default={})
    tune: TuneSettings = TuneSettings()
    published: list[Published] = Field(default=[])


def read_suite(path: Path) -> Suite:
    """The suite in a TOML file; a relative data path counts from the file's own folder.

    Raises InputError naming the key, the rule and the nearest known key.
    """
    settings = read_toml(path)
    data = settings.get("data")
    if isinstance(data, dict):
        for key in ("source", "test"):
            if isinstance(data.get(key), str) and data[key] not in NAMES:
                data[key] = os.path.join(path.parent, data[key])
    run = settings.get("run")
    if isinstance(run, dict) and isinstance(run.get("models"), list):
        run["models"] = beside(path, run["models"])
    return suite_of(settings, str(path))


def beside(path: Path, models: Sequence[Any]) -> list[Any]:
    """The models of a suite file: those that are files count from its own folder."""
    return [
        os.path.join(path.parent, text) if isinstance(text, str) and text.endswith(".py") else text for text in models
    ]


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; raises InputError for a file that cannot be read."""
    try:
        return tomllib.loads(read_input(path).decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(f"no such suite file: {path}") from error
    except InputError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"suite {path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"suite {path} is not well-formed TOML: {error}") from error


def suite_of(settings: Mapping[str, Any], where: str) -> Suite:
    """A suite from nested settings; `where` names their origin in errors."""
    return checked(Suite, settings, where)


def chosen_models(run: RunSettings, *, classifiers: bool = False) -> list[str]:
    """The variants that a run names, by name, file or tag, each once; all where it names none.

    classifiers: "all" and tags mean also those that do nothing but classify.
    """
    if run.models is not None and run.tags is not None:
        raise InputError("run: give models or tags, not both")
    if run.tags is not None:
        chosen = [name for tag in run.tags for name in list_models(tag=tag, classifiers=classifiers)]
    else:
        models = ["all"] if run.models is None else run.models
        chosen = [
            name for text in models for name in (list_models(classifiers=classifiers) if text == "all" else named(text))
        ]
        for name in chosen:
            require_here(name)
    if not chosen:
        raise InputError("run: models names no variant")
    return list(dict.fromkeys(chosen))


def expand(
    suite: Suite,
    *,
    device: str = "auto",
    needs_test: bool = True,
    timeout: float | None = None,
    table: Table | Cases | None = None,
) -> tuple[list[Cell], Data]:
    """The cells of a suite, seed by seed and fold by fold, and the data of the first fold.

    A variant that no seed changes has one cell in each fold; one that cannot do the task has none, and a note says why.

    needs_test: refuse a split that leaves no test rows. table: what the suite's source holds, where it is loaded.

    Checks everything before anything runs: data, split, names, types, and whether each variant runs, within `timeout`
    seconds, with what the suite sets for it; a variant that fails as it is has one cell, which will say why. Raises
    InputError.
    """
    seeds, config = (
        _seeds(suite.run.seeds),
        FitConfig.of({**suite.fit, **({"device": device} if device != "auto" else {})}),
    )
    check_step(config)
    if not 1 <= suite.problem.folds <= MOST_FOLDS:
        raise InputError(f"folds must be >= 1 and <= {MOST_FOLDS}, got {suite.problem.folds}")
    if suite.problem.sliding and suite.problem.folds == 1:
        raise InputError("sliding moves the train part from fold to fold: set folds too, such as 5")
    chosen_models(suite.run, classifiers=True)  # whose names are checked before data are read
    data = prepare_from(suite.data.model_dump(), suite.problem.model_dump(), table)
    names = chosen_models(suite.run, classifiers=bool(data.classes))
    for name in suite.models:
        if variant(name).name not in names:
            raise InputError(f"[models.{name}] sets parameters of a variant that run.models does not name")
    params = {name: resolve(variant(name).build, suite.models.get(name, {}), f"variant '{name}'") for name in names}
    check_loss(data.problem, config)
    if needs_test and len(data.test) == 0:
        raise InputError(f"split leaves no test rows, so nothing can be scored, got {suite.problem.split}")
    of_season = [name for name in names if "period" in params[name] and "period" not in suite.models.get(name, {})]
    if of_season:
        period, notes = _season(data)
        params |= {name: {**params[name], "period": period} for name in of_season}
        data = replace(data, notes=(*data.notes, *notes))
    shared: dict[str, Any] = {
        "suite": suite.name,
        "data": _data_fields(data, suite.data),
        "problem": ProblemFields(lookback=data.problem.lookback, **task_of(data).model_dump()),
        "device": resolve_device(config.device).type,
    }
    cells: dict[tuple[int, int, str], Cell] = {}
    unsuitable: dict[str, list[str]] = {}
    refusal: Unsuitable | None = None
    for name in names:
        try:
            is_tested = variant(name).code.kind == "zoo" and name not in suite.models  # by the zoo's own tests
            with time_limit(timeout):
                model = create(name, data.problem, **params[name]) if is_tested else try_out(name, data, params[name])
        except Unsuitable as error:
            unsuitable.setdefault(str(error.__cause__), []).append(name)
            refusal = error
            continue
        except InputError:
            if name in suite.models:
                raise
            model = None
        cell = Cell(
            variant=name,
            tags=variant(name).tags,
            seed=0,
            params=params[name],
            fit=fit_of_task(config.settings(), data.problem.task) if model is None or model.is_trainable else None,
            code=variant(name).code.portable,
            **shared,
        )
        for seed in seeds if model is not None and _depends_on_seed(model, cell, data) else [0]:
            for fold in range(data.fold.count):
                problem = cell.problem.model_copy(update={"fold": fold})
                cells[seed, fold, name] = cell.model_copy(update={"seed": seed, "problem": problem}).keyed()
    if unsuitable:
        texts = [f"{', '.join(those)} ({reason})" for reason, those in unsuitable.items()]
        data = replace(data, notes=(*data.notes, f"left out: {'; '.join(texts)}"))
    if not cells and refusal is not None:
        raise refusal
    order = itertools.product(dict.fromkeys((0, *seeds)), range(data.fold.count), names)
    return [cells[place] for place in order if place in cells], data


def fit_of_task(settings: Mapping[str, Any], task: str) -> dict[str, Any]:
    """The settings of training as rows store them; other tasks than forecast have no choice of loss."""
    return {name: value for name, value in settings.items() if name != "loss" or task == "forecast"}


def _season(data: Data) -> tuple[int | None, tuple[str, ...]]:
    """The period that the data's spacing suggests to variants that take one, None for their own default, and a note."""
    usual = spacing(data.time_of_first)
    if usual is None or usual.season is None or usual.season <= data.problem.lookback:
        return usual.season if usual is not None else None, ()
    note = (
        f"the spacing ({usual.name}) suggests a season of {usual.season} steps, longer than the lookback "
        f"{data.problem.lookback}: no variant can repeat it; --lookback {usual.season} would hold it"
    )
    return None, (note,)


def _seeds(seeds: int | list[int]) -> list[int]:
    if isinstance(seeds, int):
        if not 1 <= seeds <= MOST_SEEDS:
            raise InputError(f"run.seeds must be a count >= 1 and <= {MOST_SEEDS}, or a list of seeds, got {seeds}")
        return list(range(seeds))
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise InputError(f"run.seeds must be a count or a list of different seeds >= 0, got {seeds}")
    return seeds


def _depends_on_seed(model: Model, cell: Cell, data: Data) -> bool:
    """Whether another seed gives another model: gradient descent trains it, or its weights are drawn."""
    if model.is_trainable:
        return True
    other = create(cell.variant, data.problem, seed=1, **cell.params).state_dict()
    return any(not torch.equal(value, other[name]) for name, value in model.state_dict().items())


def try_out(name: str, data: Data, params: dict[str, Any]) -> Model:
    """The variant as it starts from seed 0, after a run on two windows: refuses parameters that cannot work."""
    model = create(name, data.problem, **params).eval()
    settings = f" with {', '.join(f'{key}={value!r}' for key, value in params.items())}" if params else ""
    x = torch.zeros(2, data.problem.lookback, data.problem.channels)
    check_forecast(model, x, f"variant '{name}'{settings}")
    return model


def prepare_from(data: Mapping[str, Any], problem: Mapping[str, Any], table: Table | Cases | None = None) -> Data:
    """Load, where `table` is not given, and prepare what [data] and [problem] (or a cell's fields of the same names)
    describe."""
    file = KnownFile(**data["file"]) if data.get("file") else None
    if file is not None:
        check_there(data["source"], file)
    if table is None:
        table = load_from(data)
    if file is not None and isinstance(table, Table):
        check_same(data["source"], table, file)
    targets = data["targets"] if "targets" in data else problem["targets"]
    if list(targets) == ["all"] and isinstance(table, Table) and "all" not in table.columns:
        targets = table.numeric
    return prepare(
        table,
        targets=targets,
        channels=data["channels"] if "channels" in data else problem["channels"],
        missing=data["missing"],
        outliers=data.get("outliers") or "none",
        lookback=problem["lookback"],
        horizon=problem["horizon"],
        split=problem.get("split_of_each") or problem["split"],
        scaler=problem["scaler"],
        normalise=problem["normalise"],
        quantiles=tuple(problem.get("quantiles", ())),
        conformal=problem.get("conformal", problem.get("is_conformal", False)),
        adaptive=problem.get("adaptive", problem.get("is_adaptive", False)),
        direction=problem.get("direction", problem.get("flat") or problem.get("task") == "direction"),
        calendar=tuple(problem.get("calendar", ())),
        known=tuple(problem.get("known", ())),
        fold=Fold(
            problem.get("fold", 0), problem.get("folds", 1), problem.get("is_sliding", problem.get("sliding", False))
        ),
    )


def load_from(data: Mapping[str, Any]) -> Table | Cases:
    """What the source of [data] (or of a cell's fields of the same names) holds."""
    return load(data["source"], **{name: data.get(name) for name in READING})


def _data_fields(data: Data, settings: DataSettings) -> DataFields:
    return DataFields(
        source=settings.source,
        fingerprint=data.fingerprint,
        rows=data.rows,
        columns=None if settings.columns is None else tuple(settings.columns),
        time=settings.time,
        missing=data.missing,
        first=stamp(data.time.min()) if data.time is not None else None,
        last=stamp(data.time.max()) if data.time is not None else None,
        series=settings.series,
        only=settings.only,
        series_count=len(data.panel.names) if data.panel is not None else None,
        case=settings.case,
        label=settings.label,
        test=settings.test,
        categories=tuple(data.categories) or None,
        outliers=data.outliers.policy if data.outliers is not None else None,
        notes=tuple(data.notes),
    )


def task_of(data: Data) -> TaskFields:
    """What is forecast, without the lookback, which tuning may change."""
    bounds = data.whole
    return TaskFields(
        task=data.problem.task,
        horizon=data.problem.horizon,
        channels=tuple(data.channels),
        targets=tuple(data.targets),
        split=(bounds.train_end, bounds.valid_end - bounds.train_end, bounds.test_end - bounds.valid_end),
        scaler=data.scaler.name,
        normalise=data.problem.normalise,
        quantiles=data.problem.quantiles,
        is_conformal=data.problem.is_conformal,
        is_adaptive=data.problem.is_adaptive,
        folds=data.fold.count,
        fold=data.fold.number,
        is_sliding=data.fold.is_sliding,
        calendar=data.calendar,
        known=data.known,
        split_of_each=data.panel.split if data.panel is not None else (),
        classes=data.classes,
        shortest=data.problem.shortest,
        flat=data.problem.flat,
    )
