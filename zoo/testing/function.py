"""Checks of the function a variant computes: of its window alone, of all of it, and the same every time."""

import pandas as pd
import safetensors.torch
import torch

from zoo.data.prepare import Data, prepare
from zoo.data.sources import load
from zoo.layers.normalised import Normalised
from zoo.registry import create, variant
from zoo.testing.broken import Broken, NotApplicable
from zoo.testing.models import furthest, learns, limit, problem, shake, shaken, windows
from zoo.train.config import FitConfig
from zoo.train.evaluate import forecast
from zoo.train.fit import fit

CLOSE = 1e-4  # of forecasts near 1: float32 sums in another order


@torch.no_grad()
def batch_does_not_matter(name: str) -> None:
    """a window's forecast does not depend on the others in its batch (eval mode)"""
    asked = problem()
    model, x = shaken(name, asked), windows(asked, batch=6)
    apart = furthest(model(x), torch.cat([model(window[None]) for window in x]))
    if not apart <= CLOSE:
        cause = "BatchNorm in training mode, a mean or softmax over the batch axis, or an LSTM without batch_first=True"
        raise Broken("the same forecasts in a batch and alone", f"{apart:.3g} between them", cause)


@torch.no_grad()
def calls_leave_nothing_behind(name: str) -> None:
    """a forecast does not depend on calls before it (eval mode), and leaves its input as it was"""
    asked = problem(normalise="none")  # so that the variant sees x itself
    model, x = shaken(name, asked), windows(asked)
    given = x.clone()
    first = model(x)
    if not torch.equal(x, given):
        raise Broken("its input as it was", "another", "an operation in place on x, such as x.sub_() or x[:] =")
    model(windows(asked, seed=1))
    apart = furthest(model(x), first)
    if apart != 0:
        cause = "a hidden state or statistic kept from call to call, or dropout that eval mode does not switch off"
        raise Broken("the same forecast of the same window twice", f"{apart:.3g} between them", cause)


@torch.no_grad()
def first_step_matters(name: str) -> None:
    """the first lookback step can change the forecast, or the limit `first step:` says why not"""
    _step_matters(name, 0, "first step")


@torch.no_grad()
def last_step_matters(name: str) -> None:
    """the last lookback step can change the forecast, or the limit `last step:` says why not"""
    _step_matters(name, -1, "last step")


def _step_matters(name: str, step: int, topic: str) -> None:
    declared = limit(name, topic)
    if declared is not None:
        raise NotApplicable(f"declares: {declared}")
    asked = problem(normalise="none", targets=(0, 1, 2))  # so that the wrapper does not see the step
    model, x = shaken(name, asked), windows(asked)
    other = x.clone()
    other[:, step] += 3
    if furthest(model(x), model(other)) == 0:
        cause = (
            "a batch-first tensor in a time-first LSTM, output[:, -1] of a backward direction, a slice one step short; "
            f'if it is meant, declare limits=("{topic}: why",)'
        )
        raise Broken(f"another forecast when the {topic} of the window changes", "the same forecast", cause)


@torch.no_grad()
def seeds_decide(name: str) -> None:
    """the same seed gives the same weights, another seed others, or the limit `seeds:` says why not"""
    asked = problem()
    one, same, other = (create(name, asked, seed=seed).state_dict() for seed in (0, 0, 1))
    for key in one:
        if not torch.equal(one[key], same[key]):
            cause = "numpy's or Python's random numbers, or a generator of its own: draw with torch's default one"
            raise Broken("equal weights from equal seeds", f"{key} differs", cause)
    if variant(name).is_deterministic:
        if any(not torch.equal(one[key], other[key]) for key in one):
            raise Broken("the same weights from every seed, as the tag deterministic says", "others", "a wrong tag")
        return
    if limit(name, "seeds") is not None:
        return
    drawn = [key for key in one if one[key].count_nonzero()]  # a variant may start at zero
    if learns(name) and drawn and all(torch.equal(one[key], other[key]) for key in drawn):
        cause = 'a seed set in the constructor; if every weight starts at a constant, declare limits=("seeds: why",)'
        raise Broken("other weights from another seed", "the same weights", cause)


def weights_are_all(name: str) -> None:
    """the state_dict of a fitted model, kept as safetensors, gives a new model the same forecasts"""
    data = _walk()
    model = _fitted(name, data)
    cause = "a tensor that is neither a parameter nor a buffer: nn.Parameter, or register_buffer"
    try:
        weights = {key: value.contiguous() for key, value in model.state_dict().items()}
        again = create(name, data.problem, seed=1)
        again.load_state_dict(safetensors.torch.load(safetensors.torch.save(weights)))
    except (RuntimeError, ValueError) as error:
        raise Broken(
            "weights that safetensors keeps and a new model takes", str(error).splitlines()[0], cause
        ) from error
    x, _ = data.test.gather(torch.arange(8))
    with torch.no_grad():
        apart = furthest(again.eval()(x), model(x))
    if apart != 0:
        raise Broken("the same forecasts after loading", f"{apart:.3g} between them", cause)


def future_does_not_matter(name: str) -> None:
    """rows after a window's lookback cannot reach its forecast, in training or after it"""
    found = []
    for jump in (0.0, 50.0):  # in the test part, after the windows that are compared
        data = _walk(jump)
        found.append(torch.from_numpy(forecast(_fitted(name, data), data.test))[:15])
    apart = furthest(*found)
    if not apart <= 1e-5 * float(found[0].abs().max()):
        cause = "statistics over the whole batch or over calls: what is ahead of one window is in another"
        raise Broken("the same forecasts when only later rows change", f"{apart:.3g} between them", cause)


def _walk(jump: float = 0.0) -> Data:
    """A random walk of two columns, 100 rows to train, 20 to validate and 40 to test; the last 20 may be moved."""
    walk = torch.randn(160, 2, generator=torch.Generator().manual_seed(2)).cumsum(0)
    walk[140:] += jump
    table = load(pd.DataFrame(walk.numpy(), columns=["a", "b"]))
    return prepare(table, targets=["a"], lookback=8, horizon=2, split=(100, 20, 40))


def _fitted(name: str, data: Data) -> Normalised:
    """A model after two epochs, its weights shaken: training may have kept the start, where the forecast is naive."""
    model = create(name, data.problem, seed=0)
    fit(model, data.train, data.valid, FitConfig(max_epochs=2, batch_size=32, device="cpu"), seed=0)
    shake(model)
    return model
