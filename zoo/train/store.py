"""A saved model: weights as safetensors, everything else as JSON; loading executes nothing from a file."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError

from zoo.data.dataset import Data
from zoo.data.outliers import Outliers
from zoo.data.scaling import Scaler
from zoo.errors import InputError, expect
from zoo.files import check_free, read_input, write_atomically
from zoo.layers.model import WITH_TASK, Model
from zoo.layers.normalised import Normalised
from zoo.migration import MODEL_FORMAT, migrated_model
from zoo.model_file import ModelFile, scaler_of
from zoo.problem import Problem
from zoo.records import parse_json, reason, record_from
from zoo.registry import create, is_registered
from zoo.registry import variant as registered


@dataclass(frozen=True)
class SavedModel:
    """A fitted model with what it needs to forecast from a new table.

    file: the content of model.json; notes: for the user to read.
    """

    model: Model
    scaler: Scaler
    file: ModelFile
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shape = self.file.problem
        what = ", ".join(self.targets)
        steps = "" if self.file.classes else f", {shape.output_shape[0]} ahead from the last {shape.lookback}"
        return f"SavedModel({self.file.variant}: {what} of {self.file.source}{steps})"

    @property
    def reading(self) -> dict[str, Any]:
        """How zoo.load has to read a table for it."""
        return self.file.reading

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
    expect("folder", folder, (str, Path), "a path")
    write_model(saved_model(model, data, variant=variant, params=params, about=about), folder)


def saved_model(
    model: Model,
    data: Data,
    *,
    variant: str,
    params: dict[str, Any] | None = None,
    about: dict[str, Any] | None = None,
) -> SavedModel:
    """What load_model would give after `save`, without the files."""
    expect("model", model, (Normalised, *WITH_TASK), "what zoo.create returns")
    expect("data", data, Data, "what zoo.prepare returns")
    expect("variant", variant, str, "the name of a variant")
    expect("params", params, (Mapping, None), "a dict of parameters")
    expect("about", about, (Mapping, None), "a dict")
    scalers, known_scalers = _scaler_fields(data.scaler), _scaler_fields(data.known_scaler)
    outliers = _outlier_fields(data.outliers)
    content = {
        "format": MODEL_FORMAT,
        "variant": variant,
        "code": registered(variant).code.portable.model_dump(),
        "params": params or {},
        "problem": asdict(data.problem),
        "channels": data.channels,
        "targets": data.targets,
        "scaler": scalers[0],
        "series_column": data.panel.column if data.panel is not None else data.only[0] if data.only else None,
        "only": data.only[1] if data.only else None,
        "series": dict(zip(data.panel.names, scalers, strict=True)) if data.panel is not None else {},
        "missing": data.missing,
        "calendar": data.calendar,
        "known": data.known,
        "known_scaler": known_scalers[0] if known_scalers else None,
        "known_series": dict(zip(data.panel.names, known_scalers, strict=False)) if data.panel is not None else {},
        "masked": data.masked,
        "categories": dict(data.categories),
        "classes": data.classes,
        "outliers": outliers[0] if outliers else None,
        "series_outliers": dict(zip(data.panel.names, outliers, strict=False)) if data.panel is not None else {},
        "seen": _seen(data) if data.problem.is_adaptive else None,
        "source": data.source,
        "fingerprint": data.fingerprint,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "about": about or {},
        "weights_sha256": "",  # of the file that holds them
    }
    file = _validated(content, Path("model.json"))
    return SavedModel(model, scaler_of(file.scaler), file)


def write_model(saved: SavedModel, folder: str | Path) -> None:
    """The files of a saved model, see save."""
    folder = Path(folder)
    check_model_folder(folder)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in saved.model.state_dict().items()}
    weights = safetensors.torch.save(tensors)
    content = saved.file.model_dump(mode="json", exclude={"checksum"})
    content["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    signed = {**content, "checksum": _checksum(content)}
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
    return SavedModel(model.eval(), scaler_of(file.scaler), file, notes)


def _seen(data: Data) -> str | int:
    """The time of the last row of training and validation, or the number of these rows."""
    end = data.split.valid_end
    return end if data.time is None else str(data.time[end - 1].isoformat())


def _scaler_fields(scaler: Scaler | None) -> list[dict[str, Any]]:
    """The fields of a scaler, of several series that of each; none where there is none."""
    if scaler is None:
        return []
    pairs = zip(np.atleast_2d(scaler.center), np.atleast_2d(scaler.scale), strict=True)
    return [{"name": scaler.name, "center": center.tolist(), "scale": scale.tolist()} for center, scale in pairs]


def _outlier_fields(outliers: Outliers | None) -> list[dict[str, Any]]:
    """The same of what cleans outliers."""
    if outliers is None:
        return []
    pairs = zip(np.atleast_2d(outliers.low), np.atleast_2d(outliers.high), strict=True)
    return [{"policy": outliers.policy, "low": low.tolist(), "high": high.tolist()} for low, high in pairs]


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


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
