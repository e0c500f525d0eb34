"""What cells and recurrent variants cost beside nn.LSTM of the same size.

    python benchmarks/bench_cells.py --out results/cells

One process, one thread: batch 64, 5 channels, 64 units, lookback 7 and 96, one step ahead of one target. Each figure is
nn.LSTM's best time over the other's best time in the same round, the median of rounds. Cells: forward and backward of
the last state, beside nn.LSTM, and the same step as a plain loop. Variants: a training step without the optimiser, with
default parameters, beside the variant lstm.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from tabulate import tabulate
from torch import nn

import zoo
from zoo.layers.cells import CoupledCell, ElmanCell, GRUCell, LSTMCell, PeepholeCell
from zoo.layers.recurrence import Cell, plain_loop, why_not
from zoo.layers.slstm import SLSTMCell
from zoo.problem import Problem
from zoo.registry import variant
from zoo.run.environment import machine

BATCH, CHANNELS, SIZE, SECONDS, LOOKBACKS = 64, 5, 64, 0.1, (7, 96)
CELLS = (LSTMCell, CoupledCell, PeepholeCell, SLSTMCell, GRUCell, ElmanCell)
SLOW = 0.2  # below which a variant says why


class Loop(nn.Module):
    """The step of a cell as a loop in Python."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cell = self.cell
        z = torch.matmul(cell.input, x.permute(1, 2, 0)) + cell.bias[:, None]
        initial = (x.new_zeros(cell.hidden_size, len(x)),) * cell.states
        return plain_loop(type(cell), z, initial, tuple(map(cell.get_parameter, cell.names))).permute(2, 0, 1)


def best(run: Callable[[], object]) -> float:
    """The least time of a call within SECONDS."""
    run()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def runs(module: nn.Module, x: torch.Tensor) -> list[Callable[[], object]]:
    """A training step and a forecast of a layer."""

    def states() -> torch.Tensor:
        out = module(x)
        return (out[0] if isinstance(out, tuple) else out)[:, -1]

    def train() -> None:
        for parameter in module.parameters():
            parameter.grad = None
        states().sum().backward()

    def infer() -> None:
        with torch.no_grad():
            states()

    return [train, infer]


def step_of(name: str, x: torch.Tensor) -> Callable[[], object]:
    """A training step of a variant without the optimiser."""
    model = zoo.create(name, Problem(x.shape[1], CHANNELS, (3,), (1, 1)))

    def step() -> None:
        for parameter in model.parameters():
            parameter.grad = None
        model(x).square().mean().backward()

    return step


def ratios(reference: list[Callable[[], object]], sides: list[Callable[[], object]], rounds: int) -> list[float]:
    """The median over rounds of the time of a reference over that of each side; references serve in turn."""
    seen = []
    for _ in range(rounds):
        theirs = [best(run) for run in reference]
        seen.append([theirs[place % len(theirs)] / best(run) for place, run in enumerate(sides)])
    return [round(statistics.median(each), 3) for each in zip(*seen, strict=True)]


def cell_rows(rounds: int) -> list[dict[str, Any]]:
    rows = []
    for lookback in LOOKBACKS:
        x = torch.randn(BATCH, lookback, CHANNELS)
        reference = runs(nn.LSTM(CHANNELS, SIZE, batch_first=True), x)
        for kind in CELLS:
            cell = kind(CHANNELS, SIZE)
            figures = ratios(reference, [*runs(cell, x), *runs(Loop(cell), x)], rounds)
            names = ("training", "inference", "training_loop", "inference_loop")
            row = {"cell": kind.__name__, "lookback": lookback, **dict(zip(names, figures, strict=True))}
            rows.append(row | {"not_compiled": why_not(kind)})
    return rows


def variant_rows(names: list[str], rounds: int) -> list[dict[str, Any]]:
    rows = []
    for name in names:
        row: dict[str, Any] = {"variant": name}
        for lookback in LOOKBACKS:
            x = torch.randn(BATCH, lookback, CHANNELS)
            (row[f"lookback_{lookback}"],) = ratios([step_of("lstm", x)], [step_of(name, x)], rounds)
        model = zoo.create(name, Problem(7, CHANNELS, (3,), (1, 1)))
        row["parameters"] = sum(parameter.numel() for parameter in model.parameters())
        rows.append(row)
    return rows


def report(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    cells = [row for row in rows if "cell" in row]
    lines = [
        [row["cell"], row["lookback"], *(f"{row[name]:.2f}" for name in list(row)[2:6]), row["not_compiled"] or ""]
        for row in cells
    ]
    header = ["cell", "lookback", "training", "inference", "training, loop", "inference, loop", "not compiled"]
    variants = sorted((row for row in rows if "variant" in row), key=lambda row: -row["lookback_96"])
    others = []
    for row in variants:
        speeds = [row[f"lookback_{lookback}"] for lookback in LOOKBACKS]
        why = variant(row["variant"]).limits.get("speed", "") if min(speeds) < SLOW else ""
        others.append([row["variant"], *(f"{speed:.2f}" for speed in speeds), f"{row['parameters']:,}", why])
    parts = [
        "# Speed of cells and variants beside nn.LSTM",
        f"A thread of {rows[0]['cpu']}, PyTorch {rows[0]['torch']}, batch {BATCH}, {CHANNELS} channels, {SIZE} units. "
        "1.00 is nn.LSTM's speed; more is faster. Printed by `python benchmarks/bench_cells.py --out results/cells`.",
        "## Cells",
        tabulate(lines, header, tablefmt="pipe", disable_numparse=True),
        "`loop`: the same step as a loop in Python, which is what the cell is compiled from.",
        "## Variants",
        "A training step with default parameters beside one of `lstm`, at both lookbacks.",
        tabulate(
            others,
            ["variant", *(f"lookback {lookback}" for lookback in LOOKBACKS), "parameters", "why below a fifth"],
            tablefmt="pipe",
            disable_numparse=True,
        ),
    ]
    return "\n\n".join(parts) + "\n"


def main(
    out: Annotated[Path | None, typer.Option(help="Folder for rows.jsonl and report.md.")] = None,
    models: Annotated[str, typer.Option(help="Variants, separated by commas (default: every recurrent one).")] = "",
    rounds: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    torch.set_num_threads(1)
    recurrent = [name for name in zoo.list_models() if "baseline" not in variant(name).tags]
    names = models.split(",") if models else recurrent
    where = {"cpu": machine("cpu")["cpu"], "torch": torch.__version__}
    rows = [row | where for row in (*cell_rows(rounds), *variant_rows(names, rounds))]
    text = report(rows)
    print(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (out / "report.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
