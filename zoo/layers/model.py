"""Model: what zoo.create returns, a variant inside what its task adds to it."""

from collections.abc import Callable
from typing import Any, cast

from torch import nn

from zoo.data.dataset import Samples
from zoo.errors import Unsuitable
from zoo.layers.classes import Classes
from zoo.layers.direction import Direction
from zoo.layers.embedded import normalised
from zoo.layers.moves import Moves
from zoo.layers.normalised import Normalised
from zoo.layers.quantiles import Quantiles
from zoo.problem import Problem

TASKS: dict[str, Any] = {"quantile": Quantiles, "direction": Direction, "move": Moves, "classify": Classes}
WITH_TASK = (Quantiles, Direction, Moves, Classes)
Model = Normalised | Quantiles | Direction | Moves | Classes


def model_of(build: Callable[[Problem], nn.Module], problem: Problem) -> Model:
    """A model of the problem's task; build gives the variant for a problem of points."""
    if problem.task == "forecast":
        model: Model = normalised(build, problem)
    else:
        model = TASKS[problem.task](build, problem)
    if problem.task != "classify" and getattr(model.variant, "solves_classes", False):
        raise Unsuitable("it classifies whole sequences, and forecasts nothing")
    return model


def begin(model: Model, train: Samples) -> None:
    """What a task takes from the training windows before training."""
    if isinstance(model, WITH_TASK):
        model.begin(cast(Any, train))


def finish(model: Model, windows: Samples, batch_size: int) -> None:
    """What a task fits to windows after training."""
    if isinstance(model, WITH_TASK):
        model.finish(cast(Any, windows), batch_size)


def inside(model: Model) -> Normalised:
    """The model of points in a model."""
    return model.model if isinstance(model, WITH_TASK) else model
