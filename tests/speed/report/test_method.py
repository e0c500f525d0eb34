"""The method tells how the figures came about."""

from tests.speed.report.rows import speed_row
from zoo.speed.report.method import method, speed_provenance


def test_method_tells_what_disturbed_the_measurement():
    rows = [speed_row("lstm", alone={"median": 1.1e-3, "ratio": 1.1}), speed_row("bilstm", is_settled=False),
            speed_row("stacked-lstm", load={"others": 0.25, "stolen": 0.0}, alone={"median": 9e-4, "ratio": 0.9}),
            speed_row("lstm", mode="compile", graph_breaks=2),
            speed_row("lstm", mode="cuda-graph", fallback="cuda-graph: no GPU; measured eager")]  # fmt: skip
    how, disturbed = method(rows)
    assert "the fastest of 3 consecutive blocks of 10 steps; a cell has 12 repeats, in 2 passes" in how
    assert "1 of 5 cells did not settle within ± 2 % (bilstm, training at batch 64, lookback 24)." in how
    for part in (
        "2 sampled cells measured once more and alone took 1.000 times as long at the median (0.900 to 1.100).",
        "other processes used at most 25.0 % and the hypervisor took at most 0.100 % of the machine's cores",
        "1 cell fell back: cuda-graph: no GPU; measured eager (lstm, cuda-graph, training at batch 64, lookback 24).",
        "Compilation broke the graph of lstm 2 times.",
    ):
        assert part in disturbed


def test_provenance_has_the_machine_its_ceilings_and_its_clocks():
    gpu = {"cpu": "a cpu", "cores": 2, "system": "an OS", "gpu": "a gpu"}
    clocks = {"cpu_mhz": 2450.0, "sm_mhz": "1980", "memory_mhz": "[N/A]", "temperature": 41, "throttle": "0x0000"}
    found = speed_provenance([speed_row(device="cuda", machine=gpu, clocks=clocks)])
    assert ("machine", "a gpu, a cpu, 2 cores, an OS") in found
    assert ("ceilings of cuda, float32, 1 thread", "60.0 GFLOP/s, 10.0 GB/s, measured") in found
    assert ("clocks", "CPU 2,450 MHz, GPU 1,980 MHz, GPU 41.0 °C") in found
    assert ("versions", "torch 2") in found
    assert ("commit", "abc") in found
