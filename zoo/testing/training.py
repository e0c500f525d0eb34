"""Checks of learning: gradients, a batch that can be learned by heart, and other precisions and devices."""

import torch

from zoo.registry import create
from zoo.testing.helpers import (
    Broken,
    NotApplicable,
    gradients,
    is_trainable,
    problem,
    require_same,
    require_trainable,
    shaken,
    windows,
)

STEPS, RATE, LEARNED = 400, 0.01, 0.1


def gradients_reach_everything(name: str) -> None:
    """every parameter gets a gradient, finite and not zero throughout"""
    require_trainable(name)
    small = problem()
    model, x = shaken(name, small).train(), windows(small, batch=16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model(x).square().mean().backward()
    for parameter, gradient in gradients(model).items():
        parameter = parameter.removeprefix("variant.")
        if gradient is None or not gradient.count_nonzero():
            seen = f"{'none' if gradient is None else 'zeros'} on {parameter}"
            raise Broken("a gradient on every parameter", seen, "a layer that forward does not use, or a detach()")
        if not gradient.isfinite().all():
            raise Broken(
                "finite gradients", f"nan or inf on {parameter}", "a division, square root or logarithm of zero"
            )


def batch_can_be_learned(name: str) -> None:
    """eight windows can be learned by heart"""
    require_trainable(name)
    small = problem(horizon=1)
    model, x = create(name, small).train(), windows(small, batch=8)
    y = torch.randn(8, 1, 1, generator=torch.Generator().manual_seed(3))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = loss = float("nan")
        for step in range(STEPS):
            error = (model(x) - y).square().mean()
            loss = float(error.detach())
            first = loss if step == 0 else first
            if loss < LEARNED * first:
                return
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
    cause = "too little capacity, saturated units, a detach(), or a mean over the batch in forward"
    raise Broken(f"{LEARNED:.0%} of the first loss within {STEPS} steps", f"{loss / first:.0%} of it", cause)


@torch.no_grad()
def float64_works(name: str) -> None:
    """works in float64"""
    small = problem()
    model = shaken(name, small).double()
    cause = "a tensor with a fixed dtype: use torch.zeros(..., dtype=x.dtype, device=x.device) or x.new_zeros"
    try:
        forecast = model(windows(small).double())
    except RuntimeError as error:
        raise Broken("a float64 forecast of float64 windows", f"RuntimeError: {error}", cause) from error
    if forecast.dtype != torch.float64:
        raise Broken("a float64 forecast of float64 windows", str(forecast.dtype).removeprefix("torch."), cause)


def bfloat16_works(name: str) -> None:
    """trains under bfloat16 autocast"""
    require_trainable(name)
    small = problem()
    model = shaken(name, small).train()
    cause = 'an operation that mixes dtypes by hand, or float("inf") where bfloat16 overflows'
    try:
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(windows(small)).float().square().mean()
        loss.backward()
    except RuntimeError as error:
        if "could not create a primitive" in str(error):  # oneDNN, on a CPU without bfloat16 instructions
            raise NotApplicable("this CPU has no bfloat16 recurrences") from error
        raise Broken("a training step in bfloat16", f"RuntimeError: {error}", cause) from error
    known = [gradient for gradient in gradients(model).values() if gradient is not None]
    if not loss.isfinite() or not all(gradient.isfinite().all() for gradient in known):
        raise Broken("finite loss and gradients in bfloat16", "nan or inf", cause)


def gpu_agrees(name: str) -> None:
    """forecasts and trains on a GPU as on the CPU, where there is one"""
    kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
    if kind is None:
        raise NotApplicable("no GPU here")
    small = problem()
    model, x = shaken(name, small), windows(small)
    cause = "a tensor created on the CPU in forward: register_buffer, or device=x.device"
    with torch.no_grad():
        expected = model(x)
    try:
        model.to(kind)
        forecast = model.train()(x.to(kind))
        if is_trainable(name):
            forecast.square().mean().backward()
        with torch.no_grad():
            forecast = model.eval()(x.to(kind)).cpu()
    except RuntimeError as error:
        raise Broken(f"a step on {kind}", f"RuntimeError: {error}", cause) from error
    require_same(forecast, expected, f"the CPU's forecast on {kind}", cause, tolerance=1e-2)
