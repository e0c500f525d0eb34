"""What only a GPU can show; each test skips where there is none."""

import pytest
import torch

from tests.throughput.test_cost import cell_of
from zoo.registry import list_models
from zoo.throughput.cells import has_step
from zoo.throughput.cost import kernels, least_bytes, peak_bytes
from zoo.throughput.stopwatch import block_seconds, ceilings, latencies, part_seconds
from zoo.throughput.workload import Workload
from zoo.train.modes import captured_call

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("default"),
]
CUDA = torch.device("cuda")


def on_cuda(name, phase="infer", batch_size=64, **how):
    return Workload(cell_of(name, phase, batch_size).model_copy(update={"device": "cuda", **how}), batch_size, seed=0)


def test_events_time_the_device_and_not_the_launch():
    left = torch.randn(8192, 8192, device=CUDA)
    long = block_seconds(lambda: torch.mm(left, left), 5, CUDA)
    assert long > 5 * 2 * 8192**3 / 2e15  # no GPU multiplies faster than 2 PFLOP/s in float32
    assert min(latencies(lambda: torch.mm(left, left), CUDA, most=3, seconds=9)) > long / 10


@pytest.mark.parametrize("mode", ["eager", "cuda-graph"])
@pytest.mark.parametrize("phase", ["infer", "train"])
@pytest.mark.parametrize("name", list_models())
def test_every_mode_runs_without_falling_back(name, phase, mode):
    if phase == "train" and not has_step(cell_of(name)):
        pytest.skip("has no training step")
    work = on_cuda(name, phase, mode=mode)
    work.run()
    torch.cuda.synchronize()
    work.close()
    assert (work.mode.name, work.mode.fallback) == (mode, None)


def test_parts_memory_and_kernels_are_those_of_the_device():
    work = on_cuda("lstm", "train", batch_size=512)
    work.run()
    parts = part_seconds(work.parts, 5, CUDA)
    assert all(seconds > 0 for part in parts for seconds in part)
    assert peak_bytes(work) > least_bytes(work) / 10 and kernels(work)
    work.close()


@pytest.mark.parametrize("phase", ["infer", "train"])
def test_a_graph_holds_and_moves_what_the_same_step_does(phase):
    eager, graph = (on_cuda("lstm", phase, batch_size=512, mode=mode) for mode in ("eager", "cuda-graph"))
    eager.run()
    assert least_bytes(graph) == least_bytes(eager)
    assert peak_bytes(graph) == pytest.approx(peak_bytes(eager), rel=0.02)
    graph.close()  # the last that was opened first: inference mode is nested
    eager.close()


def test_a_captured_forward_pass_gives_the_forecasts_of_the_model():
    work = on_cuda("lstm")
    x = torch.randn(64, 7, 5, device=CUDA)
    _, call = captured_call(work.model, torch.zeros_like(x), "cuda-graph")
    torch.testing.assert_close(call(x), work.model(x), rtol=1e-4, atol=1e-5)
    work.close()


def test_narrower_types_have_higher_ceilings():
    assert ceilings("cuda", "bfloat16")["flops_per_second"] > 2 * ceilings("cuda", "float32")["flops_per_second"]
