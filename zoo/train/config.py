"""FitConfig: how a model is trained."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from zoo.errors import InputError
from zoo.space import Choice, Float, Int, resolve

LATER = (
    "mode", "precision", "threads", "jitter", "scaling", "masking", "channel_dropout", "mixup", "slicing",
    "warping", "weight_dropout", "label_smoothing", "class_weights", "steps_per_epoch",
)  # fmt: skip
MOST_THREADS = 1024  # the system refuses to start many more, which ends the process


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """Training settings; every range is the default search range of tuning.

    max_epochs: most passes over the training windows; steps_per_epoch: optimiser steps in a pass, on windows drawn at
    random, where all of them would be too many between two validations (none: each window once); max_batches: most
    optimiser steps (none: no cap); max_seconds: training ends with the first epoch that ends later (none: no cap),
    which makes results depend on the machine; batch_size: windows a step, or "all";
    patience: epochs without a better validation loss before training stops (0: never);
    min_delta: share of the best loss by which an epoch must be lower to count as better;
    clip_norm: the gradient's largest norm (0: unclipped); weight_decay: decoupled with adamw, else an L2
    term of the gradient; l1: weight of the parameters' absolute sum in the loss; momentum: of sgd;
    schedule: plateau halves the learning rate after patience / 3 epochs without a better loss, cosine
    lowers it to zero; jitter, scaling, masking, channel_dropout, mixup, slicing, warping: augmentation of the training
    windows, see zoo.train.augment (0: none); weight_dropout: share of recurrent weights that are zero in a step, see
    zoo.train.weight_dropout; label_smoothing: share of a class that training spreads over all (Szegedy et al. 2016);
    class_weights: balanced makes each class count alike, in training and validation, however rare it is (both are of
    classes and directions alone); loss: huber changes from square to linear at 1 scaled unit; mode: the step as it is
    (eager), with nn.LSTM layers and Adam run by compiled code of the zoo (kernel: CPU only, other digits), compiled
    (torch.compile), or captured as a CUDA graph; auto is a CUDA graph on CUDA, else eager; precision:
    of the step's products (tf32: CUDA only; bfloat16: by autocast), validation and forecasts stay float32; threads: of
    the CPU during fit (more than 1 pays for large models alone, and changes the last digits); device: auto is CUDA,
    else MPS, else the CPU.
    """

    max_epochs: int = 200
    steps_per_epoch: int | None = None
    max_batches: int | None = None
    max_seconds: float | None = None
    batch_size: Annotated[int | Literal["all"], Int(16, 512, log=True)] = 64
    learning_rate: Annotated[float, Float(1e-4, 1e-2, log=True)] = 1e-3
    patience: int = 16
    min_delta: float = 0.0
    clip_norm: float = 1.0
    weight_decay: Annotated[float, Float(1e-6, 1e-1, log=True)] = 0.0
    l1: float = 0.0
    optimizer: Annotated[Literal["adam", "adamw", "sgd"], Choice("adam", "adamw", "sgd")] = "adam"
    momentum: float = 0.9
    schedule: Annotated[Literal["none", "cosine", "plateau"], Choice("none", "cosine", "plateau")] = "none"
    jitter: float = 0.0
    scaling: float = 0.0
    masking: float = 0.0
    channel_dropout: float = 0.0
    mixup: float = 0.0
    slicing: float = 0.0
    warping: float = 0.0
    weight_dropout: float = 0.0
    label_smoothing: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    loss: Literal["mse", "mae", "huber"] = "mae"
    mode: Literal["auto", "eager", "kernel", "compile", "cuda-graph"] = "auto"
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    threads: int = 1
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    def __post_init__(self) -> None:
        for name, value in resolve(type(self), asdict(self), "fit").items():
            object.__setattr__(self, name, value)
        at_least = {
            "max_epochs": 1, "steps_per_epoch": 1, "max_batches": 1, "max_seconds": 0, "batch_size": 1, "patience": 0,
            "min_delta": 0, "clip_norm": 0, "weight_decay": 0, "l1": 0, "momentum": 0, "threads": 1, "jitter": 0,
            "scaling": 0, "masking": 0, "channel_dropout": 0, "mixup": 0, "slicing": 0, "warping": 0,
            "weight_dropout": 0, "label_smoothing": 0,
        }  # fmt: skip
        for name, low in at_least.items():
            value = getattr(self, name)
            if value not in ("all", None) and not value >= low:
                raise InputError(f"fit: {name} must be >= {low}, got {value}")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"fit: learning_rate must be > 0, got {self.learning_rate}")
        if self.threads > MOST_THREADS:
            raise InputError(f"fit: threads must be <= {MOST_THREADS}, got {self.threads}")
        for name in ("momentum", "masking", "channel_dropout", "slicing", "weight_dropout", "label_smoothing"):
            if not getattr(self, name) < 1:
                raise InputError(f"fit: {name} must be < 1, got {getattr(self, name)}")

    def settings(self) -> dict[str, Any]:
        """The settings as rows store them: without the device, without caps that are None, and without defaults of the
        settings in LATER (rows that are older have the same keys)."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name != "device" and value is not None and not (name in LATER and value == getattr(FitConfig, name))
        }

    @classmethod
    def of(cls, given: dict[str, Any]) -> "FitConfig":
        """A config from loose settings; an unknown one raises UnknownName with the nearest name."""
        return cls(**{name: value for name, value in resolve(cls, given, "fit").items() if name in given})
