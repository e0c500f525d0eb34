"""Step: one training step, from window numbers to changed weights, the precision of its products and its threads."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data.dataset import Samples
from zoo.errors import InputError
from zoo.layers.classes import Classes
from zoo.layers.direction import Direction
from zoo.layers.model import TASKS, WITH_TASK, Model
from zoo.layers.moves import Moves
from zoo.problem import Problem
from zoo.train.augment import Augment
from zoo.train.config import FitConfig
from zoo.train.optimizer import Optimizer
from zoo.train.weight_dropout import WeightDropout

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": functional.huber_loss,
}


def loss_of(model: nn.Module, config: FitConfig, *, is_training: bool = False) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of forecasts and actual values that the model learns: the config's, or that of its task.

    Labels are smoothed in training alone.
    """
    if not isinstance(model, WITH_TASK):
        return LOSSES[config.loss]
    smoothing = config.label_smoothing if is_training else 0.0
    if smoothing == 0 and config.class_weights == "none":
        return model.loss
    assert isinstance(model, Classes | Direction | Moves)
    return partial(model.loss, smoothing=smoothing, is_balanced=config.class_weights == "balanced")


def check_loss(problem: Problem, config: FitConfig) -> None:
    """Raise InputError for settings of the loss that the task does not use."""
    if problem.task in TASKS and config.loss != FitConfig.loss:
        how = TASKS[problem.task].learns_by
        raise InputError(f"fit.loss must be left out: the task {problem.task} is learned by {how}, got {config.loss}")
    for name in ("label_smoothing", "class_weights"):
        if problem.is_of_values and getattr(config, name) != getattr(FitConfig, name):
            raise InputError(
                f"fit.{name} is of classes and directions: leave it out for the task {problem.task}, "
                f"got {getattr(config, name)}"
            )


class Step:
    """A training step in three parts; calling it runs them and returns the batch's loss [] without gradient.

    index: window numbers int64 [B] on the device. Nothing here waits for the device, so the whole step can be
    compiled or captured as a CUDA graph. predict maps x to a forecast: the model, or its compiled form.
    """

    def __init__(self, model: Model, windows: Samples, config: FitConfig) -> None:
        self.model, self.windows, self.config = model, windows, config
        self.predict: Callable[[Tensor], Tensor] = model
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = Optimizer(self.parameters, config)
        self.device = windows.values.device
        self.loss_of = loss_of(model, config, is_training=True)
        self.augment = Augment(model.problem, windows, config)
        self.weight_dropout = WeightDropout(model, config.weight_dropout)

    def forward(self, index: Tensor) -> Tensor:
        """Gather the windows and return the loss of their forecasts."""
        x, y = self.augment(*self.windows.gather(index))
        self.weight_dropout.drop()
        with autocast(self.config.precision, self.device):
            return self.loss_of(self.predict(x), y)

    def backward(self, loss: Tensor) -> None:
        """Leave the gradient of the (penalised) loss on the parameters."""
        if self.config.l1 > 0:
            loss = loss + self.config.l1 * torch.stack([p.abs().sum() for p in self.parameters]).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.weight_dropout.restore()

    def update(self) -> None:
        """Clip the gradient and move the parameters."""
        self.optimizer.step(self.config.clip_norm)

    def state(self) -> list[Tensor]:
        """All tensors that a step changes: weights, buffers and the optimizer's."""
        return [*self.parameters, *self.model.buffers(), *self.optimizer.state(), self.optimizer.gradients]

    def __call__(self, index: Tensor) -> Tensor:
        loss = self.forward(index)
        self.backward(loss)
        self.update()
        return loss.detach()


def check_precision(precision: str, device: torch.device) -> None:
    """Raise InputError for a precision that this device does not have."""
    if precision == "float32" or (precision == "bfloat16" and device.type == "cpu"):
        return
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0):
        return
    needs = "CUDA of compute capability 8 or newer" + (" or the CPU" if precision == "bfloat16" else "")
    raise InputError(f"precision {precision} needs {needs}, got device {device.type}; choose float32")


@contextmanager
def float32_rounding(precision: str) -> Iterator[None]:
    """Inside, products of float32 are exact to float32, or with `tf32` rounded to its 10 bits (CUDA only).

    Without it cuDNN rounds float32 to tf32, PyTorch's default, and the process may have asked for less everywhere. Its
    settings come back afterwards, whether PyTorch's older names made them (allow_tf32, set_float32_matmul_precision) or
    its newer one (fp32_precision); asked by the older names, PyTorch refuses to tell of the newer one.
    """
    backends: Any = torch.backends
    cuda, cudnn, mkldnn = backends.cuda, backends.cudnn, backends.mkldnn
    general = (backends, cudnn, mkldnn.conv, mkldnn.rnn)  # mkldnn's own setting cannot be set: it sets that of backends
    every = (*general, cuda.matmul, mkldnn.matmul, cudnn.conv, cudnn.rnn)
    before = [place.fp32_precision for place in every]
    older = _told(torch.get_float32_matmul_precision, "highest"), _told(lambda: cudnn.allow_tf32, True)
    try:
        for place in general:
            place.fp32_precision = "ieee"
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        cudnn.allow_tf32 = precision == "tf32"
        yield
    finally:
        torch.set_float32_matmul_precision(older[0])
        cudnn.allow_tf32 = older[1]
        for place, value in zip(every, before, strict=True):
            place.fp32_precision = value


def _told(setting: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return setting()
    except RuntimeError:  # the newer name made it
        return otherwise


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Inside, torch computes on that many CPU threads; the caller's number comes back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def subnormals_as_zero() -> Iterator[None]:
    """Inside, arithmetic of this thread takes a float32 below 1.2e-38 as 0; its own setting comes back afterwards.

    Over a long lookback gradients fade into such numbers, with which processors compute several times slower.
    """
    was_zero = bool(torch.tensor(1e-39) * 1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was_zero)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Inside, matrix products and recurrences run in `precision` where that is narrower than float32.

    The cast of a weight is not cached, since a captured CUDA graph must cast it again at each replay.
    """
    if precision in ("float32", "tf32"):
        return nullcontext()
    return torch.autocast(device.type, getattr(torch, precision), cache_enabled=False)
