"""predict: the one place that runs a model for its forecasts: validation, tuning, scoring and new rows alike."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.dataset import Samples
from zoo.data.sequences import Sequences
from zoo.data.windows import Windows
from zoo.errors import InputError, expect
from zoo.layers.model import WITH_TASK
from zoo.layers.normalised import Normalised
from zoo.train.config import FitConfig
from zoo.train.step import float32_rounding, loss_of

EVALUATION_BATCH = 1024


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """Inside, models compute in full float32, whatever the caller's process is set to.

    Autocast is off, also one that the caller has entered, and no product is rounded to TF32 or bfloat16. The caller's
    settings come back afterwards. Everything but the training step runs so; the step enters its own precision inside.
    """
    with torch.autocast(device.type, enabled=False), float32_rounding("float32"):
        yield


@torch.no_grad()
def predict(model: nn.Module, inputs: Iterable[Tensor]) -> Tensor:
    """Forecasts [n, *output_shape] in scaled units of batches [B, L, C] that lie where the model does.

    Runs in full_float32; the model is left in eval mode. The same weights and batches give the same bits on every path.
    """
    model.eval()
    forecasts = []
    for x in inputs:
        with full_float32(x.device):
            forecasts.append(model(x))
    return torch.cat(forecasts)


def check_windows(model: Any, windows: Any, name: str) -> None:
    """Raise InputError unless `model` is one of zoo.create, and `windows`, the argument `name`, are of its problem."""
    expect("model", model, (Normalised, *WITH_TASK), "what zoo.create returns")
    expect(name, windows, (Windows, Sequences), "windows of zoo.prepare: data.train, data.valid or data.test")
    problem = model.problem
    classes = problem.output_shape[1] if problem.task == "classify" else 0
    wanted = problem.lookback, problem.horizon, problem.channels, tuple(problem.targets), classes
    given_classes = len(windows.classes) if isinstance(windows, Sequences) else 0
    given = windows.lookback, windows.horizon, windows.values.shape[1], tuple(windows.targets), given_classes
    parts = ("lookback", "horizon", "channels", "positions of targets", "number of classes")
    apart = [
        f"{part} {one} (the model: {other})"
        for part, one, other in zip(parts, given, wanted, strict=True)
        if one != other
    ]
    if apart:
        raise InputError(
            f"{name} is of another problem than the model: {', '.join(apart)}; create it with data.problem"
        )


def predict_windows(model: nn.Module, windows: Samples) -> Tensor:
    """predict of every window, float32 [n, *output_shape]."""
    return predict(model, (x for x, _ in windows.batches(EVALUATION_BATCH)))


def validation_loss(model: nn.Module, windows: Samples, config: FitConfig) -> float:
    """The mean loss of predict over all windows, in scaled units, see loss_of."""
    measured = loss_of(model, config)
    total = torch.zeros((), device=windows.values.device)
    forecasts, actual = predict_windows(model, windows), windows.scaled_truth()
    for part, true_part in zip(forecasts.split(EVALUATION_BATCH), actual.split(EVALUATION_BATCH), strict=True):
        total.add_(measured(part, true_part), alpha=len(part))
    return total.item() / len(windows)
