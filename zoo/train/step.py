"""Step: one training step, from window numbers to changed weights; what fit repeats and zoo speed times."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data.windows import Windows
from zoo.train.config import FitConfig
from zoo.train.precision import autocast

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": functional.huber_loss,
}


class Step:
    """A training step in three parts; calling it runs them and returns the batch's loss [] without gradient.

    index: window numbers int64 [B] on the device. Nothing here waits for the device, so the whole of it can be
    compiled or captured as a CUDA graph. predict is what maps x to a forecast: the model, or its compiled form.
    """

    def __init__(self, model: nn.Module, windows: Windows, config: FitConfig) -> None:
        self.model, self.windows, self.config = model, windows, config
        self.predict: Callable[[Tensor], Tensor] = model
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = optimizer_of(self.parameters, config)
        self.device = windows.values.device
        self._loss_of = LOSSES[config.loss]

    def forward(self, index: Tensor) -> Tensor:
        """Gather the windows and return the loss of their forecasts."""
        x, y = self.windows.gather(index)
        with autocast(self.config.precision, self.device):
            return self._loss_of(self.predict(x), y)

    def backward(self, loss: Tensor) -> None:
        """Leave the gradient of the (penalised) loss on the parameters."""
        if self.config.l1 > 0:
            loss = loss + self.config.l1 * torch.stack([p.abs().sum() for p in self.parameters]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()

    def update(self) -> None:
        """Clip the gradient and move the parameters."""
        if self.config.clip_norm > 0:
            nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm, foreach=True)
        self.optimizer.step()

    def __call__(self, index: Tensor) -> Tensor:
        loss = self.forward(index)
        self.backward(loss)
        self.update()
        return loss.detach()


def optimizer_of(parameters: list[nn.Parameter], config: FitConfig) -> torch.optim.Optimizer:
    """The config's optimizer, fused. For a CUDA graph its learning rate is a tensor, which a schedule can change
    between replays."""
    rate: float | Tensor = config.learning_rate
    decay = config.weight_decay
    if config.mode == "cuda-graph":
        rate = torch.tensor(config.learning_rate, device=parameters[0].device)
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=config.momentum, weight_decay=decay, fused=True)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr=rate, weight_decay=decay, fused=True, capturable=config.mode == "cuda-graph")
