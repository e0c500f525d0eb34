"""Times an epoch of training on a CPU, by the zoo and by others, on the same windows and with one thread.

    python benchmarks/cpu_step.py [--rounds 9] [--shapes short long] --out results/cpu-step

Every way has a process of its own, and one epoch of each follows the other, so that all meet the same machine. Workers
of `zoo bench` set glibc's allocator to keep memory; "same settings" is a loop in PyTorch under these, with the fused
Adam that the zoo takes; the other loops have PyTorch's defaults throughout. Figures are medians of a ratio of windows
per second within a round, over the plain loop with PyTorch's defaults.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SHAPES = {
    "short": {"channels": 5, "lookback": 7, "horizon": 1, "hidden": 64, "batch": 64, "rows": 4000},
    "long": {"channels": 7, "lookback": 96, "horizon": 24, "hidden": 128, "batch": 32, "rows": 900},
}
VARIANTS = ("stacked-lstm", "lstm", "bilstm")
WAYS = {
    "zoo, kernel": "fit with fit.mode=kernel",
    "zoo": "fit as it is",
    "loop, same settings": "a loop in PyTorch with the allocator and the Adam of the zoo",
    "loop": "the same loop with PyTorch's defaults",
    "DataLoader": "the same with a DataLoader over the windows",
    "skorch": "skorch's NeuralNet",
}


def epoch_of(way: str, shape: dict[str, int], variant: str) -> Any:
    """A function that trains one epoch and returns windows per second."""
    import numpy as np
    import pandas as pd
    import torch
    from torch.nn import functional

    import zoo

    torch.set_num_threads(1)
    values = np.random.default_rng(0).normal(size=(shape["rows"], shape["channels"])).cumsum(axis=0)
    table = pd.DataFrame(values, columns=[f"c{n}" for n in range(shape["channels"])])
    data = zoo.prepare(table, targets=["c0"], lookback=shape["lookback"], horizon=shape["horizon"], split=(0.9, 0, 0.1))
    model = zoo.create(variant, data.problem, hidden_size=shape["hidden"])
    x, y = data.train.gather(torch.arange(len(data.train)))
    x, y = x.contiguous(), y.contiguous()
    if way.startswith("zoo"):
        mode: Any = "kernel" if "kernel" in way else "eager"
        config = zoo.FitConfig(max_epochs=1, batch_size=shape["batch"], device="cpu", mode=mode)
        return lambda: zoo.fit(model, data.train, None, config).epochs[0].windows_per_second
    if way == "skorch":
        import skorch

        net = skorch.NeuralNet(
            model,
            torch.nn.L1Loss,
            optimizer=torch.optim.Adam,
            lr=1e-3,
            max_epochs=1,
            batch_size=shape["batch"],
            train_split=None,
            iterator_train__shuffle=True,
            callbacks=[skorch.callbacks.GradientNormClipping(1.0)],
            verbose=0,
        )
        net.initialize()

        def by_skorch() -> float:
            started = time.perf_counter()
            net.partial_fit(x, y)
            return len(x) / (time.perf_counter() - started)

        return by_skorch
    parameters = list(model.parameters())
    is_same = way == "loop, same settings"
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True) if is_same else torch.optim.Adam(parameters, lr=1e-3)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=shape["batch"], shuffle=True)

    def batches() -> Any:
        if way == "DataLoader":
            yield from loader
            return
        for index in torch.randperm(len(x)).split(shape["batch"]):
            yield x[index], y[index]

    def by_loop() -> float:
        model.train()
        started = time.perf_counter()
        for x_BLC, y_BTD in batches():
            loss = functional.l1_loss(model(x_BLC), y_BTD)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        return len(x) / (time.perf_counter() - started)

    return by_loop


def serve(way: str, shape: str, variant: str) -> None:
    """Answer each line on standard input with the speed of one more epoch."""
    epoch = epoch_of(way, SHAPES[shape], variant)
    epoch()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(epoch(), flush=True)


class Way:
    """A process that trains an epoch when it is asked to."""

    def __init__(self, way: str, shape: str, variant: str) -> None:
        from zoo.run.server import MEMORY

        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "THP_"))}
        environment |= {"OMP_NUM_THREADS": "1"}
        if way.startswith("zoo") or way == "loop, same settings":
            environment |= MEMORY
        command = [sys.executable, __file__, "--serve", way, shape, variant]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{way} did not start")

    def epoch(self) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--out", type=Path, default=Path("results/cpu-step"))
    chosen = parser.parse_args()
    if chosen.serve:
        serve(*chosen.serve)
        return
    ways = [way for way in WAYS if way != "skorch" or find_spec("skorch")]
    lines = []
    for shape in chosen.shapes:
        for variant in VARIANTS:
            running = {way: Way(way, shape, variant) for way in ways}
            rounds = [{way: each.epoch() for way, each in running.items()} for _ in range(chosen.rounds)]
            for each in running.values():
                each.close()
            usual = statistics.median(one["loop"] for one in rounds)
            ratios = {way: statistics.median(one[way] / one["loop"] for one in rounds) for way in ways}
            lines.append({"shape": shape, "variant": variant, "loop, windows/s": f"{usual:,.0f}"} | ratios)
            print(lines[-1], file=sys.stderr)
    chosen.out.mkdir(parents=True, exist_ok=True)
    report = report_of(lines, ways, shlex.join(["python", "benchmarks/cpu_step.py", *sys.argv[1:]]))
    (chosen.out / "report.md").write_text(report, encoding="utf-8")
    print(report)


def report_of(lines: list[dict[str, Any]], ways: list[str], command: str) -> str:
    import pandas as pd
    import torch

    from zoo.run.environment import machine

    frame = pd.DataFrame(lines).drop(columns="loop")  # by which the others are divided
    form = "{0}: {hidden} units, batch {batch}, lookback {lookback}, {channels} channels"
    shapes = "; ".join(form.format(name, **each) for name, each in SHAPES.items())
    texts = "\n".join(f"- {way}: {WAYS[way]}" for way in ways)
    return f"""# A training step on a CPU

Windows per second over those of a plain loop with PyTorch's defaults; above 1 is faster. {shapes}; stacked-lstm has
two layers. One thread of {machine("cpu")["cpu"]}, PyTorch {torch.__version__}; medians within rounds.

{frame.to_markdown(index=False, floatfmt=".2f")}

{texts}

Run it again:

    {command}
"""


if __name__ == "__main__":
    main()
