"""Cells and rows: one combination to measure, and its measured figures. The one place that knows their fields.

A row in a file is one JSON object with the fields of its class; zoo.migration brings older ones into them.
Times are in seconds, memory in bytes, errors in the data's own units; null: not measured, or it does not apply.
"""

import hashlib
import json
import operator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from zoo.migration import SCHEMA, migrated_best, migrated_row
from zoo.plugins import Code
from zoo.problem import Problem
from zoo.records import Record, Scalar, Setting, record_from

if TYPE_CHECKING:
    Params = dict[str, Any]  # they go into signatures of any kind
else:
    Params = dict[str, Setting]


def absent() -> Any:
    """A field that a row leaves out where it is None, as all rows did before the field came."""
    return Field(default=None, exclude_if=lambda value: value is None)


class DataFields(Record):
    """The data of a cell.

    fingerprint: SHA-256 of the values in the rows used; columns: names given to a file without a header line, null: it
    has one; time: the time column that the user named, null: none; missing: policy for missing values; first, last:
    times of the first and the last row, null: the data have no times; series: the column that tells series apart;
    series_count: how many are used, or only: the name of the one that is; absent for one series. case, label: the
    columns of the cases and of their classes, test: the file of the test part; all three are absent for forecasts, and
    where the source tells them. categories: columns that name kinds; outliers: the policy that cleans inputs; absent
    where there is none.
    """

    source: str
    fingerprint: str
    rows: int
    columns: tuple[str, ...] | None
    time: str | None
    missing: str
    first: str | None
    last: str | None
    notes: tuple[str, ...] = ()
    series: str | None = absent()
    only: str | None = absent()
    series_count: int | None = absent()
    case: str | None = absent()
    label: str | None = absent()
    test: str | None = absent()
    categories: tuple[str, ...] | None = absent()
    outliers: str | None = absent()


class TaskFields(Record):
    """The target of the forecast.

    horizon: in steps; split: number of rows of train, validation and test. What follows is absent where it has its
    default. quantiles: their levels; folds: blocks that the test part is cut into; fold: the number of this one;
    is_sliding: the train parts of all folds are as long as the first; split_of_each: of several series the split of
    each, as it was given; split is then the sum over them; calendar: periods whose position is a further input; known:
    columns whose coming values are further inputs; classes: of sequences to classify, whose split counts cases, whose
    horizon is 1 and whose one target is the class; shortest: the length of the shortest, where they differ; flat: of
    moves, the largest change that is none.
    """

    task: str
    horizon: int = Field(ge=1)
    channels: tuple[str, ...] = Field(min_length=1)
    targets: tuple[str, ...] = Field(min_length=1)
    split: tuple[int, int, int]
    scaler: str
    normalise: str
    quantiles: tuple[float, ...] = Field(default=(), exclude_if=operator.not_)
    is_conformal: bool = Field(default=False, exclude_if=operator.not_)
    is_adaptive: bool = Field(default=False, exclude_if=operator.not_)
    folds: int = Field(default=1, ge=1, exclude_if=lambda value: value == 1)
    fold: int = Field(default=0, ge=0, exclude_if=operator.not_)
    is_sliding: bool = Field(default=False, exclude_if=operator.not_)
    split_of_each: tuple[Scalar, ...] = Field(default=(), exclude_if=operator.not_)
    calendar: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    known: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    classes: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    shortest: int | None = absent()
    flat: str = Field(default="", exclude_if=operator.not_)


class ProblemFields(TaskFields):
    """The target of the forecast and its input. lookback: in steps."""

    lookback: int = Field(ge=1)


class StudyFields(Record):
    """A study of Optuna. ranges: searched, by key; settings: fixed, by key; repeats: seeds of each trial; folds:
    validation parts of each trial, absent where there is one.

    code: of the variant, null in studies of an earlier version.
    """

    name: str
    storage: str
    sampler: str
    pruner: str
    seed: int
    repeats: int
    ranges: dict[str, dict[str, Scalar] | tuple[Scalar, ...]]
    settings: Params
    is_reproducible: bool
    code: Code | None = None
    folds: int | None = absent()


class BudgetFields(Record):
    """The limits of the whole study (trials, timeout in seconds) and of each trial; null: no limit."""

    trials: int
    timeout: float | None = None
    repeats: int = 1
    max_epochs: int | None = None
    max_batches: int | None = None
    max_seconds: float | None = None


class CostFields(Record):
    """The cost of a study. trials = complete + pruned + failed; lost ones were run again.

    seconds: of all trials together; busy_seconds: on the clock, while any of them ran.
    """

    trials: int
    complete: int
    pruned: int
    failed: int
    lost: int = 0
    seconds: float = Field(ge=0)
    busy_seconds: float = Field(default=0.0, ge=0)


class Tuning(Record):
    """The study that a tuned cell's settings come from.

    lookback: of the suite before tuning; valid_loss: of the best trial, null: the study had no validation loss.
    """

    lookback: int
    valid_loss: float | None
    study: StudyFields
    budget: BudgetFields
    cost: CostFields
    command: str | None = None


class Machine(Record):
    """The machine of a row. cores: those that the process may use; gpu: null on the CPU."""

    cpu: str
    cores: int
    system: str
    gpu: str | None = None


class Metrics(Record):
    """How good a forecast is; zoo.metrics defines each metric and its unit. null: the metric is undefined.

    targets: each target's own metrics, null: there is one target. crps to winkler are of quantiles, brier to roc_auc of
    directions, brier to calibration_error of classes, rps and others of these of moves, absent otherwise.
    """

    rmse: float | None
    mae: float | None
    mse: float | None
    r2: float | None
    mape: float | None
    smape: float | None
    mase: float | None
    directional_accuracy: float | None
    skill: float | None
    scaled_mse: float | None
    scaled_mae: float | None
    crps: float | None = absent()
    weighted_quantile_loss: float | None = absent()
    coverage: float | None = absent()
    width: float | None = absent()
    winkler: float | None = absent()
    brier: float | None = absent()
    log_loss: float | None = absent()
    accuracy: float | None = absent()
    balanced_accuracy: float | None = absent()
    roc_auc: float | None = absent()
    error_rate: float | None = absent()
    macro_f1: float | None = absent()
    calibration_error: float | None = absent()
    rps: float | None = absent()
    targets: dict[str, "Metrics"] | None = None


class Measured(Record):
    """How a row came about.

    commit: of the zoo's source, null outside git; command: null when called from Python; started: UTC, ISO 8601; error:
    why there are no figures, null: it succeeded; traceback: file beside the rows; fallback: why the requested mode did
    not run, null: it did; parameter_count: weights of the model.
    """

    machine: Machine
    versions: dict[str, str]
    commit: str | None
    command: str | None
    started: str
    error: str | None = None
    traceback: str | None = None
    fallback: str | None = None
    parameter_count: int | None = None
    schema_version: int = SCHEMA
    figures: ClassVar[tuple[str, ...]]  # fields that every row without an error has

    @model_validator(mode="after")
    def _has_figures(self) -> Self:
        if self.error is None and None in [getattr(self, name) for name in self.figures]:
            raise ValueError(f"a row without an error has {', '.join(self.figures)}")
        return self


class Cell(Record):
    """One training run, complete enough to be repeated from its row.

    fit: settings of FitConfig without the device, null: gradient descent does not train the variant; tuning: null where
    params and fit are the suite's own; code: null in rows of an earlier version.
    """

    kind: Literal["accuracy"] = "accuracy"
    key: str = ""
    suite: str
    variant: str
    tags: tuple[str, ...]
    seed: int
    params: Params
    data: DataFields
    problem: ProblemFields
    fit: Params | None
    device: str
    tuning: Tuning | None = None
    code: Code | None = None

    def keyed(self) -> Self:
        """The same cell with its key: SHA-256 over the canonical JSON of the request.

        The key leaves out the suite's name, the data's path, the cost of a study, commit and versions.
        """
        fields = self.model_dump(mode="json", include={"kind", "variant", "params", "problem", "fit", "seed", "device"})
        data = self.data.model_dump(mode="json", include={"fingerprint", "missing", "outliers"})
        key = _key({**fields, "data": data, "is_tuned": self.tuning is not None}, self.code)
        return self.model_copy(update={"key": key})


class AccuracyRow(Cell, Measured):
    """A measured cell; its figures are null where it failed.

    valid_skill: skill on the validation part, which a choice between rows may rest on; absent where there is no such
    part, where the model has learned from it, and in rows of an earlier version. train_seconds: of fit;
    windows_per_second: training windows, median over epochs, null: no epochs; best_epoch: 0 for the untrained weights;
    stopped: why training ended; gradient_norm: before clipping, the mean over steps; clipped: the share of steps that
    clipped it; warning: what was wrong with gradients, null: nothing; together: models that trained in one CUDA graph
    (train_seconds is then an equal share), null: alone; predictions, truth: files beside the rows, see
    zoo.run.predictions.
    """

    figures = ("metrics", "train_seconds", "epochs", "parameter_count")
    metrics: Metrics | None = None
    valid_skill: float | None = absent()
    train_seconds: float | None = None
    windows_per_second: float | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    stopped: str | None = None
    gradient_norm: float | None = None
    clipped: float | None = None
    warning: str | None = None
    together: int | None = None
    threads: int
    dtype: str = "float32"
    predictions: str | None = None
    truth: str | None = None


class SpeedCell(Record):
    """One kind of step to time, complete enough to be timed again from its row.

    batch_size: windows a step, "max": the largest that fits; code: null in rows of an earlier version.
    """

    kind: Literal["speed"] = "speed"
    key: str = ""
    suite: str
    variant: str
    tags: tuple[str, ...]
    params: Params
    phase: Literal["infer", "train"]
    device: str
    dtype: str
    batch_size: int | Literal["max"]
    lookback: int = Field(ge=1)
    mode: str
    channels: int = Field(ge=1)
    horizon: int = Field(ge=1)
    normalise: str
    threads: int
    code: Code | None = None

    def keyed(self) -> Self:
        """The same cell with its key, which leaves out the suite's name, the method, the machine and the commit."""
        in_key = set(SpeedCell.model_fields) - {"key", "suite", "tags", "code"}  # a row has more fields
        fields = self.model_dump(mode="json", include=in_key)
        return self.model_copy(update={"key": _key(fields, self.code)})

    @property
    def problem(self) -> Problem:
        """The problem of its shape: the one target is the fourth channel (close, of OHLCV), or the last."""
        target = min(3, self.channels - 1)
        return Problem(self.lookback, self.channels, (target,), (self.horizon, 1), self.normalise)  # type: ignore[arg-type]


class StepSeconds(Record):
    """Seconds of a step over the repeats. low, high: 95 % interval of the median, null: fewer than 6 repeats."""

    median: float = Field(gt=0)
    p5: float
    p95: float
    low: float | None
    high: float | None


class Rate(Record):
    """Windows a second."""

    median: float = Field(gt=0)
    p5: float
    p95: float


class Latency(Record):
    """Seconds that a caller waits for one forecast at batch 1, and how many were timed."""

    p50: float
    p95: float
    p99: float
    count: int


class PartSeconds(Record):
    """Seconds of the parts of a training step."""

    forward: float
    backward: float
    optimizer: float


class Ceilings(Record):
    """The highest rates that were measured on this device."""

    flops_per_second: float
    bytes_per_second: float


class TriedBatch(Record):
    """One batch size of a search for the largest; windows_per_second: null where it failed with `error`."""

    batch_size: int
    windows_per_second: float | None
    error: str | None


class BatchSearch(Record):
    """The search for the largest batch. largest: the largest that fits; limit: what ended the search."""

    largest: int
    limit: str
    tried: tuple[TriedBatch, ...]


class Alone(Record):
    """The cell timed once more with no other cell in its process: seconds of a step, and their ratio to the row's."""

    median: float
    ratio: float


class SpeedRow(SpeedCell, Measured):
    """A timed cell; its figures are null where it failed, or where the device or the phase does not have them.

    repeats: seconds of a step, undisturbed ones only; all_repeats: seconds of every repeat, and the slower reading of a
    fixed reference workload beside it; reference: seconds of that workload at its best; disturbed: number of repeats
    set aside; passes: number of repeats in each pass; seconds: of all repeats; peak_memory_bytes: at this batch;
    ceiling_share: of the nearest ceiling, 0 to 1; clocks: in MHz, and the GPU's temperature.
    """

    figures = ("repeats", "step_seconds", "windows_per_second", "batch_measured")
    batch_measured: int | None = None
    repeats: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(default=None, min_length=1)
    all_repeats: tuple[tuple[float, float], ...] | None = None
    reference: float | None = None
    passes: tuple[int, ...] | None = None
    seconds: float | None = None
    disturbed: int | None = None
    steps_per_block: int | None = None
    blocks_per_repeat: int | None = None
    step_seconds: StepSeconds | None = None
    is_settled: bool | None = None
    is_calm: bool | None = None
    windows_per_second: Rate | None = None
    latency_seconds: Latency | None = None
    part_seconds: PartSeconds | None = None
    peak_memory_bytes: int | None = None
    flops_per_window: int | None = None
    flops_per_second: float | None = None
    bytes_per_step: int | None = None
    ceiling_share: float | None = None
    kernels_seen: tuple[tuple[str, float], ...] | None = None
    graph_breaks: int | None = None
    search: BatchSearch | None = None
    alone: Alone | None = None
    clocks: dict[str, Scalar] | None = None
    ceilings: Ceilings | None = None


class StudyData(Record):
    """The data of a study."""

    source: str
    fingerprint: str


class FrontPoint(Record):
    """A trial that no other beats in every objective."""

    trial: int
    objectives: dict[str, float]
    params: Params


class Best(Record):
    """best.json: the best settings of a study.

    fit: all of FitConfig but the device; valid_loss: null with other objectives; front: null with one objective.
    """

    format: Literal[2] = 2
    variant: str
    params: Params
    fit: Params
    lookback: int = Field(ge=1)
    trial: int
    valid_loss: float | None
    objectives: dict[str, float]
    data: StudyData
    problem: TaskFields
    study: StudyFields
    budget: BudgetFields
    cost: CostFields
    machine: Machine
    versions: dict[str, str]
    commit: str | None
    command: str | None
    front: tuple[FrontPoint, ...] | None = None


Row = AccuracyRow | SpeedRow


def row_from(content: Any) -> Row:
    """The row that a JSON value describes, migrated where it is older; raises ValueError (ValidationError is one)."""
    if not isinstance(content, dict):
        raise ValueError("a row is a JSON object")
    if content.get("kind") == "speed":
        return record_from(SpeedRow, migrated_row(content))
    return record_from(AccuracyRow, migrated_row(content))


def best_from(content: Any) -> Best:
    """The study's best settings that a JSON value describes, migrated where it is older; raises ValueError."""
    if not isinstance(content, dict):
        raise ValueError("best settings are a JSON object")
    return record_from(Best, migrated_best(content))


def _key(fields: dict[str, Any], code: Code | None) -> str:
    whole = {**fields, "code": code.sha256 if code is not None else None, "schema": SCHEMA}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
