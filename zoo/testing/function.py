"""Checks of the function that a variant computes: it depends on the whole window and on nothing else."""

import pandas as pd
import safetensors.torch
import torch

from zoo.data.dataset import Data
from zoo.data.prepare import prepare
from zoo.data.sources import load
from zoo.layers.model import Model
from zoo.registry import create, variant
from zoo.testing.helpers import (
    Broken,
    declaration,
    expecting,
    problem,
    require_same,
    require_undeclared,
    shake,
    shaken,
    windows,
)
from zoo.train.config import FitConfig
from zoo.train.evaluate import forecast
from zoo.train.fit import fit

CLOSE = 1e-4  # of forecasts near 1: float32 sums in another order


@torch.no_grad()
def batch_does_not_matter(name: str) -> None:
    """a window's forecast does not depend on the others in its batch (eval mode)"""
    model, x = shaken(name, batch=6)
    cause = "BatchNorm in training mode, a mean or softmax over the batch axis, or an LSTM without batch_first=True"
    alone = torch.cat([model(window[None]) for window in x])
    require_same(model(x), alone, "the same forecasts in a batch and alone", cause, tolerance=CLOSE)


@torch.no_grad()
def calls_leave_nothing_behind(name: str) -> None:
    """a forecast does not depend on calls before it (eval mode), and leaves its input as it was"""
    model, x = shaken(name, problem(normalise="none"))  # so that the variant sees x itself
    before = x.clone()
    first = model(x)
    if not torch.equal(x, before):
        raise Broken("its input as it was", "another", "an operation in place on x, such as x.sub_() or x[:] =")
    model(windows(model.problem, seed=1))
    cause = "a hidden state or statistic that survives a call, or dropout that eval mode does not switch off"
    require_same(model(x), first, "the same forecast of the same window twice", cause)


@torch.no_grad()
def first_step_matters(name: str) -> None:
    """the first lookback step can change the forecast, or the limit "first step" gives the reason"""
    _step_matters(name, 0, "first step")


@torch.no_grad()
def last_step_matters(name: str) -> None:
    """the last lookback step can change the forecast, or the limit "last step" gives the reason"""
    _step_matters(name, -1, "last step")


def _step_matters(name: str, step: int, topic: str) -> None:
    require_undeclared(name, topic)
    # normalise: so that the wrapper does not see the step
    model, x = shaken(name, problem(normalise="none", targets=(0, 1, 2)))
    other = x.clone()
    other[:, step] += 3
    if torch.equal(model(x), model(other)):
        cause = (
            "a batch-first tensor in a time-first LSTM, output[:, -1] of a backward direction, a slice one step short; "
            + declaration(topic)
        )
        raise Broken(f"another forecast when the {topic} of the window changes", "the same forecast", cause)


@torch.no_grad()
def seeds_decide(name: str) -> None:
    """the same seed gives the same weights, another seed others, or the limit "seeds" gives the reason"""
    models = [create(name, problem(), seed=seed) for seed in (0, 0, 1)]
    one, same, other = (model.state_dict() for model in models)
    for key in one:
        if not torch.equal(one[key], same[key]):
            cause = "numpy's or Python's random numbers, or a generator of its own: draw with torch's default one"
            raise Broken("equal weights from equal seeds", f"{key} differs", cause)
    if "deterministic" in variant(name).tags:
        if models[0].is_trainable or any(not torch.equal(one[key], other[key]) for key in one):
            expected = "the same model from every seed, as the tag deterministic says"
            raise Broken(expected, "weights that are drawn or trained by gradient descent", "a wrong tag")
        return
    if "seeds" in variant(name).limits:
        return
    drawn = [key for key in one if one[key].count_nonzero()]  # a variant may start at zero
    if models[0].is_trainable and drawn and all(torch.equal(one[key], other[key]) for key in drawn):
        cause = f"a seed set in the constructor; if every weight starts at a constant, {declaration('seeds')}"
        raise Broken("other weights from another seed", "the same weights", cause)


def weights_are_all(name: str) -> None:
    """the state_dict of a fitted model, saved as safetensors, gives a new model the same forecasts"""
    data = _walk()
    model = _fitted(name, data)
    cause = "a tensor that is neither a parameter nor a buffer: nn.Parameter, or register_buffer"
    with expecting("weights that safetensors can save and a new model can load", cause):
        weights = {key: value.contiguous() for key, value in model.state_dict().items()}
        again = create(name, data.problem, seed=1)
        again.load_state_dict(safetensors.torch.load(safetensors.torch.save(weights)))
    x, _ = data.test.gather(torch.arange(8))
    with torch.no_grad():
        require_same(again.eval()(x), model(x), "the same forecasts after loading", cause)


def future_does_not_matter(name: str) -> None:
    """rows after a window's lookback cannot reach its forecast, in training or after it"""
    walks = _walk(), _walk(jump=50.0)  # the jump is in the test part, after the windows that are compared
    one, other = (torch.from_numpy(forecast(_fitted(name, data), data.test))[:15] for data in walks)
    cause = "statistics over the whole batch or over calls: the rows after one window are in another"
    tolerance = 1e-5 * float(one.abs().max())
    require_same(one, other, "the same forecasts when only later rows change", cause, tolerance=tolerance)


def _walk(jump: float = 0.0) -> Data:
    """A random walk of two columns, 100 rows to train, 20 to validate and 40 to test; jump: added to the last 20."""
    walk = torch.randn(160, 2, generator=torch.Generator().manual_seed(2)).cumsum(0)
    walk[140:] += jump
    table = load(pd.DataFrame(walk.numpy(), columns=["a", "b"]))
    return prepare(table, targets=["a"], lookback=8, horizon=2, split=(100, 20, 40))


def _fitted(name: str, data: Data) -> Model:
    """A model after two epochs, its weights shaken: training may return the start, where the forecast is naive."""
    model = create(name, data.problem, seed=0)
    fit(model, data.train, data.valid, FitConfig(max_epochs=2, batch_size=32, device="cpu"), seed=0)
    shake(model)
    return model
