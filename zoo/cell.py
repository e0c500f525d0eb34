"""Cells and rows: one combination to measure, and what was measured of it. The one place that knows their fields.

A row in a file is one JSON object with the fields of its class; zoo.migration brings older ones into them.
Seconds, bytes and counts are plain numbers; what does not apply is null.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from zoo.migration import SCHEMA, migrated_best, migrated_row
from zoo.plugins import Code
from zoo.problem import Problem
from zoo.records import Record, Scalar, Setting, record_from

if TYPE_CHECKING:
    Params = dict[str, Any]  # they go into signatures of any kind
else:
    Params = dict[str, Setting]


class DataFields(Record):
    """The data of a cell. first, last: times of the first and the last row, where there are times."""

    source: str
    fingerprint: str
    rows: int
    columns: tuple[str, ...] | None
    time: str | None
    missing: str
    first: str | None
    last: str | None
    notes: tuple[str, ...] = ()


class TaskFields(Record):
    """What is forecast; split: rows of train, validation and test."""

    task: str
    horizon: int = Field(ge=1)
    channels: tuple[str, ...] = Field(min_length=1)
    targets: tuple[str, ...] = Field(min_length=1)
    split: tuple[int, int, int]
    scaler: str
    normalise: str


class ProblemFields(TaskFields):
    """What is forecast from what."""

    lookback: int = Field(ge=1)


class StudyFields(Record):
    """A study of Optuna: what it searched (ranges by key) and what it held (settings by key)."""

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


class BudgetFields(Record):
    """What each trial and the whole study were given."""

    trials: int
    timeout: float | None = None
    repeats: int = 1
    max_epochs: int | None = None
    max_batches: int | None = None
    max_seconds: float | None = None


class CostFields(Record):
    """trials = complete + pruned + failed; lost ones were run again. seconds: of all trials together."""

    trials: int
    complete: int
    pruned: int
    failed: int
    lost: int = 0
    seconds: float = Field(ge=0)
    busy_seconds: float = Field(default=0.0, ge=0)


class Tuning(Record):
    """The study that a tuned cell's settings come from; lookback: that of the suite before tuning."""

    lookback: int
    valid_loss: float | None
    study: StudyFields
    budget: BudgetFields
    cost: CostFields
    command: str | None = None


class Machine(Record):
    """Where a row was measured."""

    cpu: str
    cores: int
    system: str
    gpu: str | None = None


class Metrics(Record):
    """What a forecast is worth, see zoo.metrics; targets: each target's own, where there are several."""

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
    targets: dict[str, "Metrics"] | None = None


class Measured(Record):
    """What every row says of how it came about.

    error: why there are no figures; traceback: a file beside the rows with the whole of it.
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


class Cell(Record):
    """One training run, complete enough to be repeated from its row.

    fit: settings of FitConfig without the device, None where nothing is trained by descent; tuning: None where params
    and fit are the suite's own; code: None in rows of an earlier version.
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
        """The same cell with its key: SHA-256 over the canonical JSON of what was asked.

        Not in it: the suite's name, the data's path, what a study cost, commit and versions.
        """
        fields = self.model_dump(mode="json", include={"kind", "variant", "params", "problem", "fit", "seed", "device"})
        data = self.data.model_dump(mode="json", include={"fingerprint", "missing"})
        return self.model_copy(
            update={"key": _sha256({**fields, "data": data, "is_tuned": self.tuning is not None, **_code(self.code)})}
        )


class AccuracyRow(Cell, Measured):
    """A measured cell.

    train_seconds: of fit; windows_per_second: median over epochs; stopped: why training ended; predictions, truth:
    files beside the rows, see zoo.run.predictions.
    """

    metrics: Metrics | None = None
    train_seconds: float | None = None
    windows_per_second: float | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    stopped: str | None = None
    threads: int
    dtype: str = "float32"
    predictions: str | None = None
    truth: str | None = None

    @model_validator(mode="after")
    def _has_figures(self) -> Self:
        figures = (self.metrics, self.train_seconds, self.epochs, self.parameter_count)
        if self.error is None and None in figures:
            raise ValueError("a row without an error has metrics, train_seconds, epochs and parameter_count")
        return self


class SpeedCell(Record):
    """One kind of step to time, complete enough to be timed again from its row."""

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
        """The same cell with its key; not in it: the suite's name, the method, the machine and the commit."""
        in_key = set(SpeedCell.model_fields) - {"key", "suite", "tags", "code"}  # a row has more fields
        fields = self.model_dump(mode="json", include=in_key)
        return self.model_copy(update={"key": _sha256({**fields, **_code(self.code)})})

    @property
    def problem(self) -> Problem:
        """The problem of its shape: the one target is the fourth channel (close, of OHLCV), or the last."""
        target = min(3, self.channels - 1)
        return Problem(self.lookback, self.channels, (target,), (self.horizon, 1), self.normalise)  # type: ignore[arg-type]


class StepSeconds(Record):
    """Seconds of a step over the repeats: percentiles, and the 95 % interval of the median where there is one."""

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
    """Seconds that a caller waits for one forecast at batch 1."""

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
    """What the device was measured to reach at most."""

    flops_per_second: float
    bytes_per_second: float


class TriedBatch(Record):
    """One batch size of a search for the largest."""

    batch_size: int
    windows_per_second: float | None
    error: str | None


class BatchSearch(Record):
    """The search for the largest batch: the largest that fits, and what limited it."""

    largest: int
    limit: str
    tried: tuple[TriedBatch, ...]


class Alone(Record):
    """The cell timed once more with no other cell in its process: seconds of a step, and their ratio to the row's."""

    median: float
    ratio: float


class SpeedRow(SpeedCell, Measured):
    """A timed cell. repeats: seconds of a step that count; all_repeats: every repeat with the slower reading beside it.

    passes: number of repeats in each pass; reference: the best reading; disturbed: repeats set aside.
    """

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

    @model_validator(mode="after")
    def _has_figures(self) -> Self:
        figures = (self.repeats, self.step_seconds, self.windows_per_second, self.batch_measured)
        if self.error is None and None in figures:
            raise ValueError("a row without an error has repeats, step_seconds, windows_per_second and batch_measured")
        return self


class StudyData(Record):
    """What a study was made on."""

    source: str
    fingerprint: str


class FrontPoint(Record):
    """A trial that no other beats in every objective."""

    trial: int
    objectives: dict[str, float]
    params: Params


class Best(Record):
    """best.json: the best settings of a study. fit: all of FitConfig but the device; front: with several objectives."""

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


def _code(code: Code | None) -> dict[str, Any]:
    return {"code": code.sha256 if code is not None else None, "schema": SCHEMA}


def _sha256(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
