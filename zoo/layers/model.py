"""Model: what zoo.create returns, a variant inside what its task adds to it."""

from collections.abc import Callable
from typing import Any

from torch import nn

from zoo.layers.direction import Direction
from zoo.layers.normalised import Normalised
from zoo.layers.plain import normalised
from zoo.layers.quantiles import Quantiles
from zoo.problem import Problem

TASKS: dict[str, Any] = {"quantile": Quantiles, "direction": Direction}
WITH_TASK = (Quantiles, Direction)
Model = Normalised | Quantiles | Direction


def model_of(build: Callable[[Problem], nn.Module], problem: Problem) -> Model:
    """A model of the problem's task; build gives the variant for a problem of points."""
    if problem.task == "forecast":
        return normalised(build(problem), problem)
    model: Model = TASKS[problem.task](build, problem)
    return model


def inside(model: Model) -> Normalised:
    """The model of points in a model."""
    return model.model if isinstance(model, WITH_TASK) else model
