"""Modes: the training step as it is, compiled, with compiled recurrences, or as a CUDA graph that is replayed."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from zoo.errors import InputError, first_line
from zoo.layers.lstm_kernel import compiled_lstms, replaceable, why_not_compiled
from zoo.train.step import Step

WARM_UP = 3  # steps before a capture, in which cuDNN and the allocator settle
Run = Callable[[Tensor], Tensor]
Capture = Callable[[Callable[[], Tensor], int], tuple[Callable[[], None], Tensor]]


@dataclass(frozen=True)
class Mode:
    """A step that can be run on whole batches.

    name: the mode it runs in; graph_breaks: for compile, how often the graph is interrupted (0: whole);
    fallback: why that is not the requested mode, None where it is.
    """

    run: Run
    name: str
    graph_breaks: int | None = None
    fallback: str | None = None


def mode_on(device: torch.device, mode: str) -> Literal["eager", "compile", "kernel", "cuda-graph"]:
    """The mode that `mode` means on a device: auto is a CUDA graph on CUDA, else eager."""
    if mode == "auto":
        return "cuda-graph" if device.type == "cuda" else "eager"
    return cast("Literal['eager', 'compile', 'kernel', 'cuda-graph']", mode)


def check_mode(mode: str, device: torch.device) -> None:
    """Raise InputError for a mode that this device does not have."""
    if mode == "cuda-graph" and device.type != "cuda":
        raise InputError(f"mode cuda-graph needs device cuda, got {device.type}; choose eager, kernel or compile")
    if mode == "kernel" and device.type != "cpu":
        raise InputError(f"mode kernel needs device cpu, got {device.type}; choose auto")


def prepared(step: Step, index: Tensor) -> Mode:
    """The step in its config's mode, tried on `index` [B]; weights, optimizer and random state stay as they were.

    It runs batches of that size; others go through `step` itself. A step that cannot be compiled or captured
    falls back to eager, with the reason in `fallback`.
    """
    mode = step.config.mode
    if mode == "eager":
        return Mode(step, "eager")
    if mode == "kernel":
        return with_kernels(step)
    if not step.windows.is_even:
        return Mode(step, "eager", fallback=f"{mode}: sequences differ in length; ran eager")
    cuda = [step.device.index or 0] if step.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            return compiled(step, index) if mode == "compile" else captured(step, index)
    except Exception as error:  # whatever a compiler or a capture raises, eager can do
        return Mode(step, "eager", fallback=_fallback(mode, error))
    finally:
        step.optimizer.zero_grad()


def compiled(step: Step, index: Tensor) -> Mode:
    """The step with its model compiled for one shape, backward included; the optimizer is already fused."""
    breaks = graph_breaks(step.model, step.windows.gather(index)[0])
    twin = copy.copy(step)
    twin.predict = torch.compile(step.model, dynamic=False)
    twin.backward(twin.forward(index))  # both directions compile at their first use
    return Mode(twin, "compile", graph_breaks=breaks)


def with_kernels(step: Step) -> Mode:
    """The step whose LSTM layers of PyTorch, and whose optimizer, run as compiled code of the zoo."""
    predict, reason = _with_kernels(step.model)
    if step.config.precision != "float32":
        reason = f"it computes in float32, got precision {step.config.precision}"
    if reason is None:
        try:
            step.optimizer.compile()
        except Exception as error:  # no folder for compiled code, a broken file in it
            reason = first_line(error)
    if reason is not None:
        return Mode(step, "eager", fallback=f"kernel: {reason}; ran eager")
    twin = copy.copy(step)
    twin.predict = predict
    return Mode(twin, "kernel")


def _with_kernels(model: nn.Module) -> tuple[Callable[[Tensor], Tensor], str | None]:
    """The model's call with compiled LSTM layers, and why there are none: None where there are."""
    layers = replaceable(model)

    def predict(x: Tensor) -> Tensor:
        with compiled_lstms(layers):
            forecast: Tensor = model(x)
        return forecast

    return predict, why_not_compiled() if layers else "the variant has no nn.LSTM layer without a projection"


def captured(step: Step, index: Tensor, capture: Capture | None = None) -> Mode:
    """The step as one CUDA graph: each run copies its window numbers to a fixed place and replays.

    capture: (work, warm-up steps) -> (replay, where each replay leaves the loss); CUDA's own where None.
    """
    place = index.clone()
    with restored(step.state()):
        replay, loss = (capture or _cuda_capture)(lambda: step(place), WARM_UP)

    def run(index: Tensor) -> Tensor:
        place.copy_(index)
        replay()
        return loss

    return Mode(run, "cuda-graph")


def captured_call(model: nn.Module, x: Tensor, mode: str) -> tuple[Mode, Callable[[Tensor], object]]:
    """The model's forward pass on inputs shaped like x [B, L, C] in a mode, with that mode or its fallback."""
    if mode == "eager":
        return Mode(model, "eager"), model
    if mode == "kernel":
        swift, reason = _with_kernels(model)
        if reason is not None:
            return Mode(model, "eager", fallback=f"kernel: {reason}; ran eager"), model
        return Mode(swift, "kernel"), swift
    try:
        if mode == "compile":
            breaks = graph_breaks(model, x)
            fast = torch.compile(model, dynamic=False)
            fast(x)
            return Mode(fast, "compile", graph_breaks=breaks), fast
        place = x.clone()
        replay, forecast = _cuda_capture(lambda: model(place), WARM_UP)
    except Exception as error:  # as above
        return Mode(model, "eager", fallback=_fallback(mode, error)), model

    def call(x: Tensor) -> Tensor:
        place.copy_(x)
        replay()
        return forecast

    return Mode(model, "cuda-graph"), call


def graph_breaks(model: nn.Module, x: Tensor) -> int:
    """How often torch.compile leaves its graph on a call of the model: 0 where it is whole."""
    torch._dynamo.reset()
    count: int = torch._dynamo.explain(model)(x).graph_break_count
    torch._dynamo.reset()
    return count


def _fallback(mode: str, error: Exception) -> str:
    return f"{mode}: {first_line(error)}; ran eager"


@contextmanager
def restored(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Afterwards these tensors have the values that they had, in place, since a graph reads them where they lie."""
    before = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)


def _cuda_capture(work: Callable[[], Tensor], warm_up: int) -> tuple[Callable[[], None], Tensor]:
    """Warm up on a side stream and capture one run of `work`, as PyTorch's notes on CUDA graphs prescribe."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(warm_up):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = work()
    return graph.replay, loss
