"""export: a saved model as one file that maps raw values to raw forecasts, for ONNX Runtime or torch.export."""

import contextlib
import copy
import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import InputError, expect, first_line
from zoo.files import write_atomically
from zoo.onnx_model import METADATA, OnnxModel
from zoo.registry import variant
from zoo.train.store import SavedModel

FORMATS = ("onnx", "pt2")
CLOSE = 1e-5  # in scaled units, of forecasts of about 1
CHECKED = 32  # windows
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class RawModel(nn.Module):
    """Raw values, float64 [B, lookback, channels] -> raw forecasts, float64 [B, *output_shape].

    Scaling, normalising and what the task does to a forecast are inside.
    """

    center_C: Tensor
    scale_C: Tensor
    center: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.model, self.is_log = copy.deepcopy(saved.model).cpu().eval(), saved.scaler.name == "log"
        self.model.requires_grad_(False)
        self.task = saved.model.problem.task
        targets = list(saved.model.problem.targets)
        center, scale = (torch.from_numpy(np.asarray(each)) for each in (saved.scaler.center, saved.scaler.scale))
        shape = (len(targets), 1) if saved.model.problem.quantiles else (len(targets),)
        for name, tensor in {
            "center_C": center, "scale_C": scale,
            "center": center[targets].view(shape), "scale": scale[targets].view(shape),
        }.items():  # fmt: skip
            self.register_buffer(name, tensor.clone())
        clip = saved.file.outliers
        self.is_clipped = clip is not None
        if clip is not None:
            self.register_buffer("low", torch.tensor(clip.low, dtype=torch.float64))
            self.register_buffer("high", torch.tensor(clip.high, dtype=torch.float64))

    def forward(self, x_BLC: Tensor) -> Tensor:
        x_BLC = torch.minimum(torch.maximum(x_BLC, self.low), self.high) if self.is_clipped else x_BLC
        x_BLC = torch.log(x_BLC) if self.is_log else x_BLC
        forecast = self.model(((x_BLC - self.center_C) / self.scale_C).float()).double()
        if self.task == "direction":
            return torch.sigmoid(forecast)
        if self.task == "move":
            return torch.softmax(forecast, dim=-1)
        forecast = forecast * self.scale + self.center
        return torch.exp(forecast) if self.is_log else forecast


@dataclass(frozen=True)
class Exported:
    """What was written: its size, and by how much its forecasts differ at most from the model's, in scaled units."""

    path: Path
    bytes: int
    difference: float


def export(saved: SavedModel, path: str | Path, *, to: str = "onnx") -> Exported:
    """Write a saved model as one file for any batch size, after comparing its forecasts with the model's.

    to: onnx, which `zoo predict FILE.onnx` and ONNX Runtime run without torch, or pt2 (torch.export). Raises InputError
    for what cannot be exported, and where the forecasts differ by more than 0.00001; nothing is written then.
    """
    expect("saved", saved, SavedModel, "what zoo.load_model returns")
    expect("path", path, (str, Path), "a path")
    if to not in FORMATS:
        raise InputError(f"a model is exported to {' or '.join(FORMATS)}, got '{to}'")
    path = Path(path)
    _check(saved, to)
    model, x = RawModel(saved), _windows(saved)
    expected = model(x).detach()
    shapes = ({0: torch.export.Dim("batch")},)
    buffer = io.BytesIO()
    try:
        with quiet(), torch.no_grad():
            if to == "pt2":
                program = torch.export.export(model, (x,), dynamic_shapes=shapes)
                actual = program.module()(x)
                torch.export.save(program, buffer)
            else:
                written = torch.onnx.export(
                    model, (x,), dynamo=True, verbose=False, dynamic_shapes=shapes,
                    input_names=["x"], output_names=["forecast"],
                )  # fmt: skip
                assert written is not None
                written.model.metadata_props[METADATA] = json.dumps(_about(saved))
                written.save(buffer)  # type: ignore[arg-type]  # it takes any file
                actual = torch.from_numpy(OnnxModel(buffer.getvalue()).forecasts(x.numpy()))
    except InputError:
        raise
    except Exception as error:  # an exporter may raise anything
        raise InputError(f"{saved.file.variant} cannot be exported to {to}: {first_line(error)}") from error
    if model.is_log:
        actual, expected = actual.log(), expected.log()
    unit = 1.0 if model.task in ("direction", "move") else model.scale
    difference = float(((actual - expected) / unit).abs().max())
    if not difference <= CLOSE:
        raise InputError(
            f"{saved.file.variant} exported to {to} forecasts other values (by {difference:.2g} in scaled units, "
            f"allowed {CLOSE:g}): keep the model folder"
        )
    write_atomically(path, buffer.getvalue())
    return Exported(path, len(buffer.getvalue()), difference)


def _check(saved: SavedModel, to: str) -> None:
    file = saved.file
    further = {
        "known": file.known, "calendar": file.calendar, "masked": file.masked, "categories": file.categories,
        "series": file.series,
    }  # fmt: skip
    reasons = {
        "known": "has inputs that are known in advance", "calendar": "has a calendar among its inputs",
        "masked": "has marks of missing values among its inputs", "categories": "has categories among its inputs",
        "series": "is of several series",
    }  # fmt: skip
    if saved.model.problem.is_adaptive:
        raise InputError("adaptive quantiles follow past forecasts, which an exported model does not know: fit without")
    for name, value in further.items():
        if value:
            raise InputError(f"the model {reasons[name]}, and export takes models of one series' own columns so far")
    if file.outliers is not None and file.outliers.policy == "hampel":
        raise InputError(
            "outliers hampel looks at rows before the lookback, which an exported model does not see: fit with "
            "--outliers clip or none"
        )
    if file.classes:
        raise InputError("the model classifies sequences, and export takes models that forecast so far")
    if to == "onnx":
        if reason := variant(file.variant).limits.get("onnx"):
            raise InputError(f"variant '{file.variant}' cannot be exported to onnx: {reason}")
        missing = [package for package in PACKAGES if find_spec(package) is None]
        if missing:
            raise InputError(f"exporting to onnx needs {', '.join(missing)}: pip install 'lstm-zoo[export]'")


def _windows(saved: SavedModel) -> Tensor:
    """Windows like those of the fit, from its scaler: random walks around its center."""
    problem, random = saved.model.problem, np.random.default_rng(0)
    steps = random.normal(scale=0.3, size=(CHECKED, problem.lookback, problem.channels))
    scaled = steps.cumsum(axis=1) + random.normal(size=(CHECKED, 1, problem.channels))
    return torch.from_numpy(saved.scaler.restore(scaled, range(problem.channels)))


def _about(saved: SavedModel) -> dict[str, object]:
    """What is stored in the file for `zoo predict`."""
    file, problem = saved.file, saved.model.problem
    return {
        "variant": file.variant, "channels": list(file.channels), "targets": list(file.targets),
        "positions": list(problem.targets), "lookback": problem.lookback, "horizon": problem.horizon,
        "task": problem.task, "quantiles": list(problem.quantiles), "missing": file.missing, "source": file.source,
    }  # fmt: skip


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, the exporter's own warnings and log lines, which are about its internals, are dropped."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
