"""A saved model: weights as safetensors, everything else as JSON; loading executes nothing from a file."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
import safetensors
import safetensors.torch
import torch
from pydantic import Field, JsonValue, ValidationError, model_validator

from zoo.data.calendar import calendar_channels
from zoo.data.dataset import Data
from zoo.data.scaling import Scaler, ScalerName
from zoo.data.spacing import next_times
from zoo.data.table import Missing, Table, clean, match_columns
from zoo.errors import Diverged, InputError, expect
from zoo.files import check_free, read_input, write_atomically
from zoo.layers.direction import Direction
from zoo.layers.model import WITH_TASK, Model
from zoo.layers.normalised import Normalised
from zoo.migration import MODEL_FORMAT, migrated_model
from zoo.plugins import Code
from zoo.problem import Normalise, Problem
from zoo.records import Record, Setting, parse_json, reason, record_from
from zoo.registry import create, is_registered
from zoo.registry import variant as registered
from zoo.train.fit import resolve_device
from zoo.train.predict import predict

Count = Annotated[int, Field(ge=1, le=2**31)]
Position = Annotated[int, Field(ge=0)]


class ModelProblem(Record):
    """The fields of Problem."""

    lookback: Count
    channels: Count
    targets: tuple[Position, ...]
    output_shape: tuple[Count, Count] | tuple[Count, Count, Count]
    normalise: Normalise
    task: Literal["forecast", "quantile", "direction", "classify"]
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    is_conformal: bool = False
    plain: tuple[Position, ...] = ()
    shortest: Count | None = None


class ModelScaler(Record):
    """The fields of Scaler."""

    name: ScalerName
    center: tuple[float, ...]
    scale: tuple[Annotated[float, Field(gt=0)], ...]


class ModelFile(Record):
    """model.json.

    code: of the variant, None for the zoo's own in a model of format 1; channels, targets: column names in the model's
    order; source, fingerprint: of the data of the fit; about: how the model came about, for the user to read;
    series: the scaler of each series by its name, where there are several (scaler is then the first one's); classes:
    their names, of a model that classifies, whose one target is what they are called;
    checksum: SHA-256 of everything else.
    """

    format: Literal[2] = MODEL_FORMAT
    variant: str
    code: Code | None
    params: dict[str, Setting]
    problem: ModelProblem
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    scaler: ModelScaler
    missing: Missing
    calendar: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    series_column: str | None = None
    series: dict[str, ModelScaler] = Field(default={})
    classes: tuple[str, ...] = ()
    source: str
    fingerprint: str
    versions: dict[str, str]
    about: dict[str, JsonValue]
    weights_sha256: str
    checksum: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        shape, count = self.problem, len(self.channels)
        if not shape.channels - len(shape.plain) == count == len(self.scaler.center) == len(self.scaler.scale):
            raise ValueError(f"problem.channels and scaler must have one entry for each of the {count} channels")
        if shape.task == "classify":
            if shape.output_shape != (1, len(self.classes)) or shape.targets or len(self.targets) != 1:
                raise ValueError("a model that classifies has no targets but the class, and one output for each class")
            return self
        if not shape.targets or shape.output_shape[1] != len(shape.targets) or max(shape.targets) >= count:
            raise ValueError("problem.targets must be positions of channels, as many as problem.output_shape has")
        if shape.output_shape[2:] != ((len(shape.quantiles),) if shape.quantiles else ()):
            raise ValueError("problem.output_shape must end with the number of problem.quantiles")
        if self.targets != tuple(self.channels[position] for position in shape.targets):
            raise ValueError("targets must be the channels at the positions problem.targets")
        return self


@dataclass(frozen=True)
class SavedModel:
    """A fitted model with what it needs to forecast from a new table.

    file: the content of model.json; notes: for the user to read.
    """

    model: Model
    scaler: Scaler
    file: ModelFile
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """Column names of the inputs, in the model's order."""
        return self.file.channels

    @property
    def targets(self) -> tuple[str, ...]:
        """Column names of the forecasts, in the model's order."""
        return self.file.targets


def save(
    model: Model,
    folder: str | Path,
    data: Data,
    *,
    variant: str,
    params: dict[str, Any] | None = None,
    about: dict[str, Any] | None = None,
) -> None:
    """Write weights.safetensors and model.json into `folder`, which is created where it is missing.

    variant, params: as given to `create`; data: what the model was fitted on; about: further JSON values
    to store. Each file comes into place whole; load_model refuses a folder whose two files do not belong together.
    Raises InputError for a folder that cannot be written or that holds something else.
    """
    expect("model", model, (Normalised, *WITH_TASK), "what zoo.create returns")
    expect("folder", folder, (str, Path), "a path")
    expect("data", data, Data, "what zoo.prepare returns")
    expect("variant", variant, str, "the name of a variant")
    expect("params", params, (Mapping, None), "a dict of parameters")
    expect("about", about, (Mapping, None), "a dict")
    folder = Path(folder)
    check_model_folder(folder)
    weights = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()})
    centers, scales = (np.atleast_2d(values) for values in (data.scaler.center, data.scaler.scale))
    scalers = [
        {"name": data.scaler.name, "center": center.tolist(), "scale": scale.tolist()}
        for center, scale in zip(centers, scales, strict=True)
    ]
    content = {
        "format": MODEL_FORMAT,
        "variant": variant,
        "code": registered(variant).code.portable.model_dump(),
        "params": params or {},
        "problem": asdict(data.problem),
        "channels": data.channels,
        "targets": data.targets,
        "scaler": scalers[0],
        "series_column": data.panel.column if data.panel is not None else None,
        "series": dict(zip(data.panel.names, scalers, strict=True)) if data.panel is not None else {},
        "missing": data.missing,
        "calendar": data.calendar,
        "masked": data.masked,
        "classes": data.classes,
        "source": data.source,
        "fingerprint": data.fingerprint,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "about": about or {},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    signed = {**content, "checksum": _checksum(content)}
    _validated(signed, folder / "model.json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "weights.safetensors", weights)
        write_atomically(folder / "model.json", json.dumps(signed, indent=1).encode())
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from error


def check_model_folder(folder: Path) -> None:
    """Raise InputError for a place that cannot hold a model: a file, or a folder with other files in it."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a folder for --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "model.json").exists():
        raise InputError(f"{folder} holds other files than a model: choose a new folder for --out")
    for name in ("model.json", "weights.safetensors"):
        check_free(folder / name)
    parent = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(parent, os.W_OK):
        raise InputError(f"cannot write to {folder}: {parent} is not writable; choose another --out")


def load_model(folder: str | Path) -> SavedModel:
    """The model that `save` wrote; on the same kind of machine its forecasts are bit for bit those before saving.

    Raises InputError for a folder without a model, for files that are damaged, exchanged or changed by hand, and for a
    variant of a file or package that is not loaded or has changed.
    """
    expect("folder", folder, (str, Path), "a path")
    folder = Path(folder)
    try:
        text, weights = (read_input(folder / name) for name in ("model.json", "weights.safetensors"))
    except FileNotFoundError as error:
        raise InputError(f"no model in {folder}: {Path(error.filename).name} is missing") from error
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from error
    file = _read(text, folder / "model.json")
    if hashlib.sha256(weights).hexdigest() != file.weights_sha256:
        raise InputError(
            f"{folder / 'weights.safetensors'} is damaged or belongs to another model: fit the model again"
        )
    notes = _check_code(file, folder)
    params: dict[str, Any] = file.params
    model = create(file.variant, Problem(**file.problem.model_dump()), **params)
    try:
        model.load_state_dict(safetensors.torch.load(weights))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(
            f"the weights in {folder} do not fit this version's variant '{file.variant}': fit the model again"
        ) from error
    return SavedModel(model.eval(), _scaler(file.scaler), file, notes)


def _scaler(fields: ModelScaler) -> Scaler:
    return Scaler(fields.name, np.array(fields.center), np.array(fields.scale))


def _read(text: bytes, path: Path) -> ModelFile:
    """The content of model.json, of this format or of format 1; raises InputError naming file, field and rule."""
    try:
        content = parse_json(text)
    except ValueError as error:
        raise InputError(f"{path} is damaged (not JSON): fit the model again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged (not a JSON object): fit the model again")
    version = content.get("format")
    if type(version) is not int or version not in (1, MODEL_FORMAT):
        raise InputError(f"{path}: format must be 1 or {MODEL_FORMAT}, got {str(version)[:60]}: fit the model again")
    file = _validated(migrated_model(content) if version == 1 else content, path)
    if file.checksum != _checksum({name: value for name, value in content.items() if name != "checksum"}):
        raise InputError(f"{path} was changed after it was written: fit the model again")
    return file


def _validated(content: dict[str, Any], path: Path) -> ModelFile:
    try:
        return record_from(ModelFile, content)
    except ValidationError as error:
        raise InputError(f"{path}: {reason(error, ModelFile)}; fit the model again") from error


def _check_code(file: ModelFile, folder: Path) -> tuple[str, ...]:
    """Notes on the variant's code; raises InputError where the code is missing, or a plugin's has changed."""
    name, code = file.variant, file.code
    if not is_registered(name):
        ways = {"file": f"name it: --variants {code and code.name}, or zoo.registry.from_file", "package": "install it"}
        way_out = ways.get(code.kind, "fit the model again") if code else "fit the model again"
        raise InputError(f"{folder} holds variant '{name}' of {code or 'another version'}: {way_out}")
    if code is None:
        return ()
    present = registered(name).code
    hashes = {present.sha256}
    if present.kind == "file" and Path(present.name).is_file():  # format 1 hashed the whole file
        hashes.add(hashlib.sha256(Path(present.name).read_bytes()).hexdigest())
    if code.kind == present.kind and code.sha256 in hashes:
        return ()
    if code.is_plugin or present.is_plugin:
        raise InputError(f"variant '{name}' is not what {folder} was fitted with: {code} has changed; fit again")
    return (f"the source of variant '{name}' has changed since this model was fitted: its forecasts may differ",)


def forecast_next(saved: SavedModel, table: Table, *, missing: str | None = None, device: str = "auto") -> pd.DataFrame:
    """The horizon after the table's last row, in the data's units: columns step, time (if spaced), targets.

    Of several series that after the last row of each that was in the fit, with the column of their names first;
    frame.attrs["left_out"] names the others.

    A model of quantiles gives the median under the target's name, with the others around it: close_q10, close. A
    model of directions gives the probability of a rise: close_up.

    Needs the model's channels, by name, and at least its lookback of rows. missing: see clean (default: the
    policy of the fit). Raises InputError.
    """
    expect("saved", saved, SavedModel, "what zoo.load_model returns")
    expect("table", table, Table, "what zoo.load returns")
    expect("missing", missing, (str, None), "text")
    expect("device", device, str, "text")
    if saved.file.classes:
        raise InputError("the model classifies whole sequences: use zoo.classify")
    known = saved.file.series
    if bool(known) != (table.series is not None):
        way_out = f"name their column with --series {saved.file.series_column}" if known else "leave out --series"
        raise InputError(f"the model is of {'several series' if known else 'one series'}: {way_out}")
    if not known:
        return _next_of_one(saved, saved.scaler, table, missing, device)
    every = table.of_each_series()
    if not known.keys() & every.keys():
        raise InputError(f"no series of {table.source} was in the fit, which had {', '.join(list(known)[:5])}, ...")
    frames = []
    for name, series in every.items():
        if name not in known:
            continue
        frame = _next_of_one(saved, _scaler(known[name]), series, missing, device)
        frame.insert(0, str(saved.file.series_column), name)
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    whole.attrs["left_out"] = [name for name in every if name not in known]
    return whole


def _next_of_one(saved: SavedModel, scaler: Scaler, table: Table, missing: str | None, device: str) -> pd.DataFrame:
    """The horizon after the last row of one series."""
    names = match_columns(saved.channels, (*table.columns, *table.unusable), table.source)
    cleaned = clean(table.select(names), names, missing or saved.file.missing, table.source)
    values, is_used = cleaned.values, cleaned.is_used
    problem = saved.model.problem
    if len(values) < problem.lookback:
        raise InputError(f"too few rows: {table.source} has {len(values)}, the model's lookback is {problem.lookback}")
    where = resolve_device(device)
    scaled = scaler.transform(values[-problem.lookback :]).astype(np.float32)
    if saved.file.calendar:
        time = table.time[is_used] if table.time is not None else None
        ahead = calendar_channels(time, saved.file.calendar, problem.horizon, table.source)
        scaled = np.concatenate([scaled, ahead[-problem.lookback :].astype(np.float32)], axis=1)
    if saved.file.masked:
        marks = cleaned.is_filled[-problem.lookback :, [names.index(name) for name in saved.file.masked]]
        scaled = np.concatenate([scaled, marks.astype(np.float32)], axis=1)
    forecast = predict(saved.model.to(where), [torch.from_numpy(scaled)[None].to(where)])[0].cpu().double().numpy()
    forecast_TDQ = forecast if problem.quantiles else forecast[..., None]
    targets = list(problem.targets)
    restored = forecast_TDQ * scaler.scale[targets, None] + scaler.center[targets, None]
    if isinstance(saved.model, Direction):
        restored = 1 / (1 + np.exp(-forecast_TDQ))
    if not np.isfinite(restored).all():
        raise Diverged("the model's forecasts are not finite numbers")
    levels = problem.quantiles or (0.5,)
    ending = "_up" if problem.task == "direction" else ""
    columns = [
        name + ending if level == 0.5 else f"{name}_q{100 * level:g}" for name in saved.targets for level in levels
    ]
    frame = pd.DataFrame(restored.reshape(problem.horizon, -1), columns=columns)
    times = next_times(table.time[is_used] if table.time is not None else None, problem.horizon)
    if times is not None:
        frame.insert(0, "time" if "time" not in saved.targets else "timestamp", times)
    frame.insert(0, "step" if "step" not in saved.targets else "horizon_step", range(1, problem.horizon + 1))
    return frame


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
