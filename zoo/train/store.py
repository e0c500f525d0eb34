"""Keeping a model: weights as safetensors, everything else as JSON; loading executes nothing from a file."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors
import safetensors.torch
import torch

from zoo.data.cleaning import clean
from zoo.data.prepare import Data
from zoo.data.scaling import Scaler
from zoo.data.spacing import next_times
from zoo.data.table import Table, match_columns
from zoo.errors import Diverged, InputError
from zoo.files import write_atomically
from zoo.layers.normalised import Normalised
from zoo.problem import Problem
from zoo.registry import create, list_models
from zoo.registry import variant as registered
from zoo.train.fit import resolve_device

FORMAT = 1


@dataclass(frozen=True)
class SavedModel:
    """A fitted model with what it needs to forecast from a new table.

    channels, targets: column names in the model's order; about: the whole of model.json, with the source,
    versions and whatever `save` was told.
    """

    model: Normalised
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    scaler: Scaler
    missing: str
    about: dict[str, Any]


def save(
    model: Normalised,
    folder: str | Path,
    data: Data,
    *,
    variant: str,
    params: dict[str, Any] | None = None,
    about: dict[str, Any] | None = None,
) -> None:
    """Write weights.safetensors and model.json into `folder`, which is made where it is not there.

    variant, params: what `create` was given; data: what the model was fitted on; about: further JSON values
    to keep. Each file comes into place whole; a folder torn between the two is refused by load_model.
    Raises InputError for a folder that cannot be written or that holds something else.
    """
    folder = Path(folder)
    check_folder(folder)
    weights = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()})
    content = {
        "format": FORMAT,
        "variant": variant,
        "plugin": registered(variant).plugin,
        "params": params or {},
        "problem": asdict(data.problem),
        "channels": data.channels,
        "targets": data.targets,
        "scaler": {
            "name": data.scaler.name,
            "center": data.scaler.center.tolist(),
            "scale": data.scaler.scale.tolist(),
        },
        "missing": data.missing,
        "source": data.source,
        "fingerprint": data.fingerprint,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "about": about or {},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "weights.safetensors", weights)
        signed = {**content, "checksum": _checksum(content)}
        write_atomically(folder / "model.json", json.dumps(signed, indent=1).encode())
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from error


def check_folder(folder: Path) -> None:
    """Raise InputError for a place that cannot hold a model: a file, or a folder with other files in it."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a folder for --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "model.json").exists():
        raise InputError(f"{folder} holds other files than a model: choose a new folder for --out")
    parent = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(parent, os.W_OK):
        raise InputError(f"cannot write to {folder}: {parent} is not writable; choose another --out")


def load_model(folder: str | Path) -> SavedModel:
    """The model that `save` wrote; it forecasts bit for bit what it forecast before, on the same kind of machine.

    Raises InputError for a folder without a model, and for files that are damaged, exchanged or tampered with.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        weights = (folder / "weights.safetensors").read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"no model in {folder}: {Path(error.filename).name} is missing") from error
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{folder / 'model.json'} is damaged (not JSON): fit the model again") from error
    if not isinstance(content, dict) or content.pop("checksum", None) != _checksum(content):
        raise InputError(f"{folder / 'model.json'} is damaged or was changed by hand: fit the model again")
    if content.get("format") != FORMAT:
        raise InputError(
            f"{folder} has model format {content.get('format')}, this version reads {FORMAT}: fit it again"
        )
    if hashlib.sha256(weights).hexdigest() != content["weights_sha256"]:
        raise InputError(
            f"{folder / 'weights.safetensors'} is damaged or belongs to another model: fit the model again"
        )
    fields = content["problem"]
    shape = {"targets": tuple(fields["targets"]), "output_shape": tuple(fields["output_shape"])}
    problem = Problem(**{**fields, **shape})
    _check_source(content["variant"], content.get("plugin"), folder)
    model = create(content["variant"], problem, **content["params"])
    try:
        model.load_state_dict(safetensors.torch.load(weights))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(
            f"the weights in {folder} do not fit this version's variant '{content['variant']}': fit the model again"
        ) from error
    model.eval()
    scaler = content["scaler"]
    return SavedModel(
        model,
        tuple(content["channels"]),
        tuple(content["targets"]),
        Scaler(scaler["name"], np.array(scaler["center"]), np.array(scaler["scale"])),
        content["missing"],
        content,
    )


def _check_source(name: str, plugin: dict[str, str] | None, folder: Path) -> None:
    """Raise InputError where the variant's code is not at hand, or not that which the model was fitted with."""
    if plugin is None:
        return
    kind, origin = next((kind, plugin[kind]) for kind in ("file", "package") if kind in plugin)
    if name not in list_models():
        way_out = f"name it: --variants {origin}, or zoo.registry.from_file" if kind == "file" else "install it"
        raise InputError(f"{folder} holds variant '{name}' of {kind} {origin}: {way_out}")
    if registered(name).plugin != plugin:
        raise InputError(
            f"variant '{name}' is not what {folder} was fitted with: {kind} {origin} has changed; fit again"
        )


@torch.no_grad()
def forecast_next(saved: SavedModel, table: Table, *, missing: str | None = None, device: str = "auto") -> pd.DataFrame:
    """The horizon after the table's last row, in the data's units: columns step, time (if spaced), targets.

    Needs the model's channels, by name, and at least its lookback of rows. missing: see clean (default: the
    policy of the fit). Raises InputError.
    """
    names = match_columns(saved.channels, (*table.columns, *table.unusable), table.source)
    values, kept, _ = clean(table.select(names), names, missing or saved.missing, table.source)
    problem = saved.model.problem
    if len(values) < problem.lookback:
        raise InputError(f"too few rows: {table.source} has {len(values)}, the model's lookback is {problem.lookback}")
    where = resolve_device(device)
    scaled = saved.scaler.transform(values[-problem.lookback :]).astype(np.float32)
    forecast_TD = saved.model.to(where).eval()(torch.from_numpy(scaled)[None].to(where))[0].cpu().double().numpy()
    targets = list(problem.targets)
    restored = forecast_TD * saved.scaler.scale[targets] + saved.scaler.center[targets]
    if not np.isfinite(restored).all():
        raise Diverged("the model's forecasts are not finite numbers")
    found = pd.DataFrame(restored, columns=list(saved.targets))
    times = next_times(table.time[kept] if table.time is not None else None, problem.horizon)
    if times is not None:
        found.insert(0, "time" if "time" not in saved.targets else "timestamp", times)
    found.insert(0, "step" if "step" not in saved.targets else "horizon_step", range(1, problem.horizon + 1))
    return found


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
