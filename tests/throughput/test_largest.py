"""The search for the largest batch ends near the end of memory, or at the time cap."""

import pytest
import torch

from zoo.throughput.largest import is_out_of_memory, largest

pytestmark = pytest.mark.slow


def machine(memory, *, best=300):
    """A stand-in for a device that holds `memory` windows and is fastest at batches near `best`."""
    sizes = []

    def measure(_, batch_size, *, seed):  # noqa: ARG001
        sizes.append(batch_size)
        if batch_size > memory:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return 1e6 / (1 + abs(batch_size - best))

    return measure, sizes


@pytest.mark.parametrize("memory", [64, 100, 1000, 4096, 70_000])
def test_the_largest_batch_is_within_a_tenth_of_what_fits(memory):
    measure, sizes = machine(memory)
    _, search = largest(None, seconds=9.0, seed=0, measure=measure)
    assert memory / 1.1 <= search.largest <= memory
    assert search.limit == "out of memory"
    # The first size runs twice: once untimed, to warm up.
    assert sorted([64, *(entry.batch_size for entry in search.tried)]) == sorted(sizes)


def test_the_best_batch_is_the_one_with_most_windows_per_second():
    measure, _ = machine(100_000, best=260)
    best, search = largest(None, seconds=9.0, seed=0, measure=measure)
    assert best == 256
    assert search.largest > best


def test_a_size_that_takes_too_long_is_the_last(monkeypatch):
    """Beyond the smallest size: what every size costs alike, such as building the model, does not end the search."""
    clock = 0.0
    measure, _ = machine(10**9)

    def slow(cell, batch_size, *, seed):
        nonlocal clock
        clock += 5.0 + batch_size / 64
        return measure(cell, batch_size, seed=seed)

    monkeypatch.setattr("zoo.throughput.largest.time.perf_counter", lambda: clock)
    _, search = largest(None, seconds=2.0, seed=0, measure=slow)
    assert (search.largest, search.limit) == (256, "time")  # 5 + 4 s against 5 + 1 s


def test_the_smallest_size_fits_at_every_try_or_there_is_no_answer():
    measure, sizes = machine(100)

    def fails_at_the_second(*arguments, **options):
        if sizes:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return measure(*arguments, **options)

    with pytest.raises(torch.OutOfMemoryError):
        largest(None, seconds=9.0, seed=0, measure=fails_at_the_second)


def test_an_error_that_is_not_memorys_is_not_hidden():
    def measure(*_, **__):
        raise RuntimeError("expected 3 dimensions")

    with pytest.raises(RuntimeError, match="expected 3 dimensions"):
        largest(None, seconds=1.0, seed=0, measure=measure)


def test_memory_errors_are_told_from_others():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"))
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("out of memory of a name"))
