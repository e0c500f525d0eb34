"""Cost: arithmetic, memory traffic and memory of a step, counted rather than guessed."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from zoo.cell import SpeedCell
from zoo.registry import create
from zoo.throughput.stopwatch import synchronise
from zoo.throughput.workload import Workload


def flops_per_window(cell: SpeedCell) -> int:
    """Floating-point operations of one window: two for each multiply-add of matrix products and convolutions.

    Counted by PyTorch's FlopCounterMode on the meta device, where a recurrent layer takes PyTorch's native path
    and so falls apart into its matrix products: an LSTM layer of H units on I inputs counts
    L * 2 * 4H * (I + H) forward, whatever kernel runs it later. A training step counts forward and backward.
    Activations, element-wise gates and the optimizer are not counted.
    """
    model = create(cell.variant, cell.problem, **cell.params).to("meta")
    x = torch.empty(1, cell.lookback, cell.channels, device="meta")
    with FlopCounterMode(display=False) as counter:
        if cell.phase == "train":
            model.train()(x).sum().backward()
        else:
            with torch.no_grad():
                model.eval()(x)
    return int(counter.get_total_flops())


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
    if not work.parts:  # what a compiled or captured step keeps is not seen from here
        with _eagerly(work) as plain:
            return _saved_bytes(plain)
    saved = saved_bytes(work.parts[0], (*work.model.parameters(), work.windows_values))
    work.parts[1]()  # frees what was saved
    return saved


def saved_bytes(forward: Callable[[], object], beside: Iterable[Tensor]) -> int:
    """Bytes that autograd keeps of a forward pass for the backward one: each storage once, not those of `beside`."""
    known = {tensor.untyped_storage().data_ptr() for tensor in beside}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = forward()  # while it lives, no storage's place is taken by another
    del output
    return sum(saved.values())


def peak_bytes(work: Workload) -> int:
    """The most bytes that torch's allocator holds in one step: what the step finds there and what it adds.

    A CUDA graph allocates nothing when it runs: it keeps what the same step takes when run eagerly, and that counts.
    """
    if work.mode.name == "cuda-graph":
        with _eagerly(work) as plain:
            return peak_bytes(plain)
    resident = work.resident_bytes()
    if work.device.type != "cuda":
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            work.run()
        return resident + _peak(profiler)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work.run()
    torch.cuda.synchronize()
    return resident + torch.cuda.max_memory_allocated() - before


def kernels(work: Workload) -> list[tuple[str, float]]:
    """Where the time of one step went: (name, share), at most eight, largest first.

    On CUDA the names are kernels without template arguments and parameters, elsewhere operators by the time spent in
    themselves.
    """
    is_cuda = work.device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if is_cuda else ProfilerActivity.CPU]) as profiler:
        work.run()
        synchronise(work.device)
    times: Counter[str] = Counter()
    for entry in profiler.key_averages():
        times[short_name(entry.key)] += entry.self_device_time_total if is_cuda else entry.self_cpu_time_total
    total = times.total() or 1
    return [(name, round(taken / total, 4)) for name, taken in times.most_common(8) if taken > 0]


@contextmanager
def _eagerly(work: Workload) -> Iterator[Workload]:
    """A workload of the same cell in eager mode, after one step."""
    plain = Workload(work.cell.model_copy(update={"mode": "eager"}), work.batch_size, seed=0)
    try:
        plain.run()
        yield plain
    finally:
        plain.close()


def short_name(kernel: str) -> str:
    """A C++ kernel's name without its template arguments, parameters, return type and PyTorch's namespace."""
    name = kernel.replace("(anonymous namespace)::", "")
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return name.split("(")[0].split("::type ")[-1].strip().removeprefix("void ").removeprefix("at::native::")[:60]


def _peak(profiler: profile) -> int:
    """The most bytes allocated at once beyond those of the start, from allocations in their order."""
    assert profiler.profiler is not None and profiler.profiler.kineto_results is not None
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(itertools.accumulate((event.nbytes() for event in events), initial=0))  # type: ignore[attr-defined]
