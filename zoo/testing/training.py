"""Checks of learning: gradients, a batch that can be learned by heart, and other precisions and devices."""

import torch

from zoo.registry import create
from zoo.testing.helpers import Broken, NotApplicable, expecting, problem, require_same, require_trainable, shaken

STEPS, RATE, LEARNED = 400, 0.01, 0.1


def gradients_reach_everything(name: str) -> None:
    """every parameter gets a gradient, finite and not zero throughout"""
    model, x = shaken(name, batch=16)
    require_trainable(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model.train()(x).square().mean().backward()
    for parameter, weight in model.variant.named_parameters():
        gradient = weight.grad
        if weight.requires_grad and (gradient is None or not gradient.count_nonzero()):
            seen = f"{'none' if gradient is None else 'zeros'} on {parameter}"
            raise Broken("a gradient on every parameter", seen, "a layer that forward does not use, or a detach()")
        if gradient is not None and not gradient.isfinite().all():
            cause = "a division, square root or logarithm of zero"
            raise Broken("finite gradients", f"nan or inf on {parameter}", cause)


def batch_can_be_learned(name: str) -> None:
    """eight windows can be learned by heart"""
    model = create(name, problem(horizon=1)).train()
    require_trainable(model)
    _, x = shaken(name, model.problem, batch=8)
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
    model, x = shaken(name)
    expected = "a float64 forecast of float64 windows"
    cause = "a tensor with a fixed dtype: use torch.zeros(..., dtype=x.dtype, device=x.device) or x.new_zeros"
    with expecting(expected, cause):
        forecast = model.double()(x.double())
    if forecast.dtype != torch.float64:
        raise Broken(expected, str(forecast.dtype).removeprefix("torch."), cause)


def bfloat16_works(name: str) -> None:
    """trains under bfloat16 autocast"""
    model, x = shaken(name)
    require_trainable(model)
    cause = 'an operation that mixes dtypes by hand, or float("inf") where bfloat16 overflows'
    with expecting("a training step in bfloat16", cause):
        try:
            with torch.autocast("cpu", torch.bfloat16):
                loss = model.train()(x).float().square().mean()
            loss.backward()
        except RuntimeError as error:
            if "could not create a primitive" in str(error):  # oneDNN, on a CPU without bfloat16 instructions
                raise NotApplicable("this CPU has no bfloat16 recurrences") from error
            raise
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    if not all(tensor.isfinite().all() for tensor in (loss, *gradients)):
        raise Broken("finite loss and gradients in bfloat16", "nan or inf", cause)


def gpu_agrees(name: str) -> None:
    """forecasts and trains on a GPU as on the CPU, where there is one"""
    kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
    if kind is None:
        raise NotApplicable("no GPU here")
    model, x = shaken(name)
    cause = "a tensor created on the CPU in forward: register_buffer, or device=x.device"
    with torch.no_grad():
        expected = model(x)
    with expecting(f"a step on {kind}", cause):
        model.to(kind)
        forecast = model.train()(x.to(kind))
        if model.is_trainable:
            forecast.square().mean().backward()
        with torch.no_grad():
            forecast = model.eval()(x.to(kind)).cpu()
    require_same(forecast, expected, f"the CPU's forecast on {kind}", cause, tolerance=1e-2)
