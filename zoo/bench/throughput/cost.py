"""Cost: arithmetic, memory traffic and memory of a step, counted rather than guessed."""

import json
import re
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from zoo.bench.throughput.cells import SpeedCell
from zoo.bench.throughput.workload import Workload
from zoo.registry import create


def flops_per_window(cell: SpeedCell) -> int:
    """Floating-point operations of one window: two for each multiply-add of matrix products and convolutions.

    Counted by PyTorch's FlopCounterMode on the meta device, where a recurrent layer takes PyTorch's native path
    and so falls apart into its matrix products: an LSTM layer of H units on I inputs counts
    L * 2 * 4H * (I + H) forward, whatever kernel runs it later. A training step counts forward and backward.
    Activations, element-wise gates and the optimizer are not counted.
    """
    return _counted(cell.variant, json.dumps(cell.params), cell.phase, cell.problem)


@lru_cache(maxsize=256)
def _counted(name: str, params: str, phase: str, problem: Any) -> int:
    model = create(name, problem, **json.loads(params)).to("meta")
    x = torch.empty(1, problem.lookback, problem.channels, device="meta")
    with FlopCounterMode(display=False) as counter:
        if phase == "train":
            model.train()(x).sum().backward()
        else:
            with torch.no_grad():
                model.eval()(x)
    found: int = counter.get_total_flops()
    return found


def least_bytes(work: Workload) -> int:
    """The least memory traffic of one step, in bytes, as if nothing that was read stayed in a cache.

    Inference reads the input and the weights and writes the forecast. Training reads the input once and the
    weights forward, backward and in the update, which writes them; it writes and reads the gradients, the
    optimizer's state, and what autograd keeps for the backward pass.
    """
    weights = sum(tensor.nbytes for tensor in (*work.model.parameters(), *work.model.buffers()))
    output = work.cell.horizon * work.batch_size * 4
    if work.cell.phase == "infer":
        return work.input_bytes + weights + output
    return work.input_bytes + output + 4 * weights + 2 * weights + 2 * work.optimizer_bytes() + 2 * _saved_bytes(work)


def _saved_bytes(work: Workload) -> int:
    """Bytes that autograd keeps between forward and backward, beside weights and the windows' table."""
    if not work.parts:  # compiled or captured: what is kept there is not seen from here
        return 0
    known = {tensor.untyped_storage().data_ptr() for tensor in (*work.model.parameters(), work.windows_values)}
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        work.parts[0]()
    work.parts[1]()  # lets go of what was kept
    return sum(found.values())


def profiled(work: Workload) -> tuple[int, list[tuple[str, float]]]:
    """Bytes at the peak of one step, and where its time went: (name, share), at most eight, largest first.

    Bytes are those of torch's allocator: what the step finds there and what it adds at most. On CUDA the names
    are kernels without template arguments and parameters, elsewhere operators by the time spent in themselves.
    """
    resident = work.resident_bytes()
    if work.device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work.run()
        torch.cuda.synchronize()
        added = torch.cuda.max_memory_allocated() - before
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            work.run()
            torch.cuda.synchronize()
    else:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            work.run()
        added = _peak(seen)
    times: dict[str, float] = {}
    for entry in seen.key_averages():
        taken = entry.self_device_time_total if work.device.type == "cuda" else entry.self_cpu_time_total
        times[short_name(entry.key)] = times.get(short_name(entry.key), 0.0) + float(taken)
    total = sum(times.values()) or 1.0
    top = sorted(times.items(), key=lambda item: -item[1])[:8]
    return resident + added, [(name, round(seconds / total, 4)) for name, seconds in top if seconds > 0]


def short_name(kernel: str) -> str:
    """A C++ kernel's name without its template arguments, parameters, return type and PyTorch's namespace."""
    name = kernel.replace("(anonymous namespace)::", "")
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return name.split("(")[0].split("::type ")[-1].strip().removeprefix("void ").removeprefix("at::native::")[:60]


def _peak(seen: profile) -> int:
    """The most bytes that were held at once beyond those held at the start, from allocations in their order."""
    assert seen.profiler is not None and seen.profiler.kineto_results is not None
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()  # type: ignore[attr-defined]
        most = max(most, held)
    return most
