"""What the micro-benchmarks share: devices that are here, and work that has ended when its time is taken."""

import pytest
import torch

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(params=DEVICES)
def device(request):
    return torch.device(request.param)


@pytest.fixture
def timed(benchmark):
    """timed(work, device, windows): benchmark `work`, waiting for the device at its end, and keep windows/s."""

    def run(work, device, windows):
        def whole():
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()

        whole()
        benchmark.pedantic(whole, rounds=15, iterations=5, warmup_rounds=2)
        if benchmark.stats is not None:
            benchmark.extra_info["windows_per_second"] = round(windows / benchmark.stats["median"])

    return run
