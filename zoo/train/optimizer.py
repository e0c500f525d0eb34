"""Optimizer: Adam, AdamW or SGD over a list of parameters; its state is allocated at once and can be copied back.

It calls the functions behind torch.optim's classes, which import PyTorch's compiler at their first use: that takes
longer than torch itself.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from zoo.train.config import FitConfig

BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam: PyTorch's defaults
ROOM = 1e-6  # added to the gradient's norm, as torch.nn.utils.clip_grad_norm_ does


class Optimizer:
    """The config's optimizer of `parameters`, by PyTorch's fused kernels (Kingma & Ba 2015; Loshchilov & Hutter 2019).

    For a CUDA graph the learning rate is a tensor, which a schedule can change between replays. gradients: [2],
    the sum of the gradient's norms before clipping, and how many were clipped, since it was last set to zero.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], config: FitConfig) -> None:
        self.parameters, self.config = list(parameters), config
        self.rate: float | Tensor = config.learning_rate
        if config.mode == "cuda-graph":
            self.rate = torch.tensor(config.learning_rate, device=self.parameters[0].device)
        moments = 2 if config.optimizer != "sgd" else int(config.momentum > 0)
        self.moments = [[torch.zeros_like(p, requires_grad=False) for p in self.parameters] for _ in range(moments)]
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters] if config.optimizer != "sgd" else []
        self.gradients = torch.zeros(2, device=self.parameters[0].device)
        self.norms, self.clipped = self.gradients.unbind()
        self.compiled: Callable[[float, float], None] | None = None

    def compile(self) -> None:
        """Have Adam and AdamW run as compiled code of the zoo, to float32's rounding, where all weights allow it.

        SGD stays PyTorch's.
        """
        from zoo.train.compiled_update import CompiledAdam

        if self.config.optimizer != "sgd" and all(map(CompiledAdam.takes, self.parameters)):
            self.compiled = CompiledAdam(
                self.parameters, self.moments, self.steps, self.gradients, room=ROOM, betas=BETAS, epsilon=EPSILON,
                decay=self.config.weight_decay, is_decoupled=self.config.optimizer == "adamw",
            )  # fmt: skip

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(self.rate)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        if isinstance(self.rate, Tensor):
            self.rate.fill_(rate)
        else:
            self.rate = rate

    def state(self) -> list[Tensor]:
        """All tensors that steps change besides the parameters; a copy can be written back in place."""
        return [*(tensor for moment in self.moments for tensor in moment), *self.steps]

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, clip_norm: float = 0.0) -> None:
        """Move the parameters that have a gradient; clip_norm: the norm over all that it is scaled down to, 0: none.

        The gradients afterwards are the clipped ones.
        """
        if self.compiled is not None:
            self.compiled(self.learning_rate, clip_norm)
            return
        places = [place for place, parameter in enumerate(self.parameters) if parameter.grad is not None]
        if not places:
            return
        gradients = [gradient for parameter in self.parameters if (gradient := parameter.grad) is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        divisor = None
        if clip_norm > 0:
            divisor = ((norm + ROOM) / clip_norm).clamp_(min=1.0).float()  # what the kernels take
            self.clipped.add_(norm > clip_norm)
        self.norms.add_(norm)
        parameters: list[Tensor] = [self.parameters[place] for place in places]
        moments = [[moment[place] for place in places] for moment in self.moments]
        decay = self.config.weight_decay
        if self.config.optimizer == "sgd":
            sgd(
                parameters, gradients, [*moments[0]] if moments else [None] * len(places), fused=True,
                grad_scale=divisor, weight_decay=decay, momentum=self.config.momentum, lr=self.rate,  # type: ignore[arg-type]
                dampening=0.0, nesterov=False, maximize=False,
            )  # fmt: skip
            return
        adam(
            parameters, gradients, moments[0], moments[1], [], [self.steps[place] for place in places], fused=True,
            capturable=self.config.mode == "cuda-graph", grad_scale=divisor, amsgrad=False, beta1=BETAS[0],
            beta2=BETAS[1], lr=self.rate, weight_decay=decay, eps=EPSILON, maximize=False,
            decoupled_weight_decay=self.config.optimizer == "adamw",
        )  # fmt: skip
