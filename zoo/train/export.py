"""export: a saved model as one file that maps raw values to raw forecasts, for ONNX Runtime or torch.export."""

import contextlib
import copy
import io
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
MAPS = {"log": (torch.log, torch.exp), "log1p": (torch.log1p, torch.expm1)}  # as in zoo.data.scaling
RECURRENT = (torch.ops.aten.lstm.input, torch.ops.aten.gru.input)


class RawModel(nn.Module):
    """Raw values, float64 [B, lookback, channels] -> raw forecasts, float64 [B, *output_shape], or probabilities of
    classes [B, K].

    Scaling, normalising and what the task does to a forecast are inside. Further channels pass as they are. A model of
    several series takes the place of each window's too, int64 [B].
    """

    center_S1C: Tensor
    scale_S1C: Tensor
    center_S1D: Tensor
    scale_S1D: Tensor
    low_S1C: Tensor
    high_S1C: Tensor

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.model, self.scaler = copy.deepcopy(saved.model).cpu().eval(), saved.scaler.name
        self.model.requires_grad_(False)
        self.task = saved.model.problem.task
        fitted, targets = list(saved.file.fitted.values()), list(saved.model.problem.targets)
        center_S1C, scale_S1C = (
            torch.from_numpy(np.stack([getattr(each.scaler, name) for each in fitted])[:, None])
            for name in ("center", "scale")
        )
        ending = (1,) if saved.model.problem.quantiles else ()
        for name, tensor in {
            "center_S1C": center_S1C, "scale_S1C": scale_S1C,
            "center_S1D": center_S1C[..., targets], "scale_S1D": scale_S1C[..., targets],
        }.items():  # fmt: skip
            self.register_buffer(name, tensor.reshape(*tensor.shape, *(ending if name.endswith("D") else ())).clone())
        limits = [each.outliers for each in fitted if each.outliers is not None and each.outliers.policy == "clip"]
        self.is_clipped = bool(limits)
        if limits:
            self.register_buffer("low_S1C", torch.from_numpy(np.stack([each.low for each in limits])[:, None]))
            self.register_buffer("high_S1C", torch.from_numpy(np.stack([each.high for each in limits])[:, None]))

    def forward(self, x_BLC: Tensor, place_B: Tensor | None = None) -> Tensor:
        place = 0 if place_B is None else place_B
        own = self.center_S1C.shape[-1]
        own_BLC, further_BLC = x_BLC[..., :own], x_BLC[..., own:]
        if self.is_clipped:
            own_BLC = torch.minimum(torch.maximum(own_BLC, self.low_S1C[place]), self.high_S1C[place])
        own_BLC = MAPS[self.scaler][0](own_BLC) if self.scaler in MAPS else own_BLC
        scaled_BLC = (own_BLC - self.center_S1C[place]) / self.scale_S1C[place]
        forecast = self.model(torch.cat([scaled_BLC, further_BLC], dim=-1).float()).double()
        if self.task == "classify":
            return forecast[:, 0].softmax(dim=-1)
        if self.task == "direction":
            return torch.sigmoid(forecast)
        if self.task == "move":
            return forecast.softmax(dim=-1)
        forecast = forecast * self.scale_S1D[place] + self.center_S1D[place]
        return MAPS[self.scaler][1](forecast) if self.scaler in MAPS else forecast


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
    model, inputs = RawModel(saved), _inputs(saved)
    problem, batch = saved.model.problem, torch.export.Dim("batch")
    is_any_length = problem.shortest is not None
    shapes = (
        {0: batch, 1: torch.export.Dim.DYNAMIC} if is_any_length else {0: batch},
        *({0: batch} for _ in inputs[1:]),
    )
    # A batch of another size, and of the shortest sequences: an exporter may have fixed what it saw.
    checked = (inputs, (inputs[0][:3, : problem.shortest], *(each[:3] for each in inputs[1:])))
    expected = torch.cat([model(*each) for each in checked])
    buffer = io.BytesIO()
    for operator in RECURRENT:  # an earlier export in this process leaves a way there that goes step by step
        operator._dispatch_cache.clear()
    try:
        with quiet(), torch.no_grad():
            if to == "pt2":
                program = torch.export.export(model, inputs, dynamic_shapes=shapes)
                actual = torch.cat([program.module()(*each) for each in checked])
                torch.export.save(program, buffer)
            else:
                written = torch.onnx.export(
                    model, inputs, dynamo=True, verbose=False, dynamic_shapes=shapes,
                    input_names=["x", "series"][: len(inputs)], output_names=["forecast"],
                )  # fmt: skip
                assert written is not None
                written.model.metadata_props[METADATA] = _about(saved)
                written.save(buffer)  # type: ignore[arg-type]  # it takes any file
                exported = OnnxModel(buffer.getvalue())
                actual = torch.cat([torch.from_numpy(exported.run(*map(np.asarray, each))) for each in checked])
    except InputError:
        raise
    except Exception as error:  # an exporter may raise anything
        why = f"({first_line(error.__cause__ or error)})"
        if is_any_length:  # the exporter's own words are about shapes inside
            why = f"for sequences of several lengths ({problem.shortest} to {problem.lookback} steps)"
        raise InputError(f"{saved.file.variant} cannot be exported to {to} {why}: keep the model folder") from error
    unit: Tensor | float = model.scale_S1D[torch.cat([each[1] for each in checked]) if saved.file.series else 0]
    if not problem.is_of_values:
        unit = 1.0
    elif model.scaler in MAPS:
        actual, expected = (MAPS[model.scaler][0](each) for each in (actual, expected))
    difference = float(((actual - expected) / unit).abs().max())
    if not difference <= CLOSE:
        raise InputError(
            f"{saved.file.variant} exported to {to} forecasts other values (by {difference:.2g} in scaled units, "
            f"allowed {CLOSE:g}): keep the model folder"
        )
    write_atomically(path, buffer.getvalue())
    return Exported(path, len(buffer.getvalue()), difference)


def _check(saved: SavedModel, to: str) -> None:
    if to == "onnx":
        if reason := variant(saved.file.variant).limits.get("onnx"):
            raise InputError(
                f"variant '{saved.file.variant}' cannot be exported to onnx: {reason}; keep the model folder"
            )
        missing = [package for package in PACKAGES if find_spec(package) is None]
        if missing:
            raise InputError(f"exporting to onnx needs {', '.join(missing)}: pip install 'lstm-zoo[export]'")


def _inputs(saved: SavedModel) -> tuple[Tensor, ...]:
    """Windows like those of the fit, from its scalers: random walks around their centers; and of several series the
    place of each window's."""
    problem, random, fitted = saved.model.problem, np.random.default_rng(0), list(saved.file.fitted.values())
    steps = random.normal(scale=0.3, size=(CHECKED, problem.lookback, problem.channels))
    x_BLC = steps.cumsum(axis=1) + random.normal(size=(CHECKED, 1, problem.channels))
    for position, names in problem.categories:
        x_BLC[..., position] = random.integers(names + 1, size=x_BLC.shape[:2])
    place_B, own = random.integers(len(fitted), size=CHECKED), len(saved.channels)
    for window, place in zip(x_BLC, place_B, strict=True):
        window[:, :own] = fitted[place].scaler.restore(window[:, :own], range(own))
    return (torch.from_numpy(x_BLC), *([torch.from_numpy(place_B)] if saved.file.series else []))


def _about(saved: SavedModel) -> str:
    """What is stored in the file for `zoo predict`: model.json, without how the model came about."""
    return saved.file.model_copy(update={"code": None, "about": {}}).model_dump_json()


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
