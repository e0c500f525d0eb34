"""The pictures and figures of docs/primer.md: an LSTM drawn, its gates traced, its forget bias and its projection.

    python benchmarks/primer.py [--out docs/pictures] [--steps 1500] [--seeds 5]

draws lstm.svg (one step, as its six equations), gates.svg (what a trained LSTM does over four years of the sea's
temperature) and forget-bias.svg (what it learns of a task of memory, by the bias of its forget gates), and prints the
figures of the page.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from torch import nn

import zoo
from zoo.learn.count import counted
from zoo.learn.gates import forget_bias, trace_gates
from zoo.report.chart import COLOURS

FORGET, INPUT, CANDIDATE, OUTPUT = COLOURS[:4]
BIASES = (0.0, 1.0, 2.0)
LOOKBACKS = (10, 20, 40)
DISTANCE = 40
UNITS = 16
STYLE = {"svg.hashsalt": "primer", "font.size": 11, "axes.spines.top": False, "axes.spines.right": False}


def draw_step() -> Figure:
    """One step of an LSTM: the cell runs along the top, the state along the bottom, four gates between them."""
    figure = Figure(figsize=(10, 4.9), layout="constrained")
    axes = figure.add_subplot(xlim=(0, 12), ylim=(-0.35, 5.6), aspect="equal")
    axes.axis("off")

    def arrow(*points: tuple[float, float], colour: str = "black") -> None:
        for start, end in pairwise(points[:-1]):
            axes.plot(*zip(start, end, strict=True), color=colour, linewidth=1.6, solid_capstyle="round")
        axes.annotate(
            "",
            points[-1],
            points[-2],
            arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0},
        )

    def node(x: float, y: float, text: str) -> None:
        axes.add_patch(Circle((x, y), 0.27, facecolor="white", edgecolor="black", linewidth=1.6, zorder=3))
        axes.text(x, y, text, ha="center", va="center", fontsize=14, zorder=4)

    def gate(x: float, text: str, sign: str, colour: str) -> None:
        box = FancyBboxPatch(
            (x - 0.8, 1.75), 1.6, 0.9, boxstyle="round,pad=0.05", facecolor=colour, edgecolor="none", zorder=3
        )
        axes.add_patch(box)
        axes.text(x, 2.2, f"{text}\n{sign}", ha="center", va="center", color="white", zorder=4)
        arrow((x, 0.6), (x, 1.7))

    axes.plot([0.2, 8.2], [0.6, 0.6], color="black", linewidth=1.6)
    arrow((1.1, -0.25), (1.1, 0.6))
    arrow((0.2, 5.0), (1.93, 5.0))
    arrow((2.47, 5.0), (4.93, 5.0))
    arrow((5.47, 5.0), (11.8, 5.0))
    for x, text, sign, colour in (
        (2.2, "forget", r"$\sigma$", FORGET),
        (4.2, "input", r"$\sigma$", INPUT),
        (6.2, "candidate", "tanh", CANDIDATE),
        (8.2, "output", r"$\sigma$", OUTPUT),
    ):
        gate(x, text, sign, colour)
    arrow((2.2, 2.7), (2.2, 4.73), colour=FORGET)
    arrow((4.2, 2.7), (4.2, 3.7), (4.93, 3.7), colour=INPUT)
    arrow((6.2, 2.7), (6.2, 3.7), (5.47, 3.7), colour=CANDIDATE)
    arrow((5.2, 3.97), (5.2, 4.73))
    arrow((8.2, 2.7), (8.2, 3.35), (9.73, 3.35), colour=OUTPUT)
    arrow((10.0, 5.0), (10.0, 4.5))
    arrow((10.0, 4.1), (10.0, 3.62))
    arrow((10.0, 3.08), (10.0, 0.6), (11.8, 0.6))
    axes.text(10.0, 4.3, "tanh", ha="center", va="center", bbox={"boxstyle": "round", "facecolor": "white"})
    node(2.2, 5.0, r"$\times$")
    node(5.2, 3.7, r"$\times$")
    node(5.2, 5.0, "+")
    node(10.0, 3.35, r"$\times$")
    for x, y, text, side in (
        (0.2, 5.2, "cell $c_{t-1}$", "left"),
        (11.8, 5.2, "cell $c_t$", "right"),
        (0.2, 0.8, "state $h_{t-1}$", "left"),
        (11.8, 0.8, "state $h_t$", "right"),
        (1.3, -0.2, "input $x_t$", "left"),
        (2.35, 3.9, "$f_t$: what stays", "left"),
        (4.05, 3.2, "$i_t$: what enters", "right"),
        (6.35, 3.2, "$g_t$: what\ncould enter", "left"),
        (8.95, 3.5, "$o_t$: what shows", "center"),
    ):
        axes.text(x, y, text, ha=side, va="bottom")
    return figure


def traced() -> tuple[Figure, str]:
    """What the gates of an LSTM that forecasts the sea's temperature do over one window of its test part."""
    data = zoo.prepare("sea-temperature", targets="temperature", lookback=48)
    model = zoo.create("lstm", data.problem, hidden_size=UNITS, seed=0)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(device="cpu"), seed=0)
    scores = zoo.evaluate(model, data.test)
    x, _ = data.test.gather(torch.tensor([len(data.test) - 1]))
    trace = trace_gates(model.variant.lstm, x - x[:, -1:])  # as the variant sees it
    forget, enters, shows, cell = (part[0].numpy() for part in (trace.forget, trace.input, trace.output, trace.cell))
    order = np.argsort(forget.mean(axis=0))[::-1]

    figure = Figure(figsize=(10, 8), layout="constrained")
    panels = figure.subplots(4, 1, sharex=True, height_ratios=(1.2, 1, 1, 1))
    steps = np.arange(1, 49)
    panels[0].plot(steps, (x - x[:, -1:])[0, :, 0], color="black")
    panels[0].set_ylabel("input $x_t$\n(scaled, last = 0)")
    for axes, part, label, limits, colours in (
        (panels[1], forget, "forget gate $f_t$\n(unit)", (0, 1), "viridis"),
        (panels[2], enters, "input gate $i_t$\n(unit)", (0, 1), "viridis"),
        (panels[3], cell, "cell $c_t$\n(unit)", (-np.abs(cell).max(), np.abs(cell).max()), "RdBu_r"),
    ):
        image = axes.imshow(
            part[:, order].T, aspect="auto", cmap=colours, vmin=limits[0], vmax=limits[1],
            extent=(0.5, 48.5, UNITS + 0.5, 0.5), interpolation="nearest",
        )  # fmt: skip
        axes.set_ylabel(label)
        figure.colorbar(image, ax=axes, pad=0.01)
    panels[3].set_xlabel("month of the window")
    halves = np.log(0.5) / np.log(forget.mean(axis=0))
    text = (
        f"sea-temperature, lookback 48, {UNITS} units: skill {scores['skill']:+.1%} on test\n"
        f"mean over the window: forget gate {forget.mean():.2f}, input gate {enters.mean():.2f}, output gate "
        f"{shows.mean():.2f}\n"
        f"half of a cell is forgotten after {halves.min():.1f} to {halves.max():.1f} months, depending on the unit"
    )
    return figure, text


def recall(bias: float, lookback: int, *, seed: int, steps: int) -> list[float]:
    """The mean squared error, over the variance, at each training step of an LSTM that is to say what it read first."""
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    lstm, head = nn.LSTM(1, UNITS, batch_first=True), nn.Linear(UNITS, 1)
    forget_bias(lstm, bias)
    optimizer = torch.optim.Adam([*lstm.parameters(), *head.parameters()], lr=3e-3)
    errors = []
    for _ in range(steps):
        x = 2 * torch.rand(64, lookback, 1, generator=random) - 1
        loss = (head(lstm(x)[0][:, -1]) - x[:, 0]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(3 * loss.item())  # the variance of a uniform value between -1 and 1 is 1/3
    return errors


def reach(bias: float, *, seed: int) -> np.ndarray:
    """How much the last state of an untrained LSTM depends on the input n steps before it, n = 0 ... DISTANCE - 1."""
    torch.manual_seed(seed)
    lstm = nn.LSTM(1, UNITS, batch_first=True)
    forget_bias(lstm, bias)
    x = (2 * torch.rand(64, DISTANCE, 1) - 1).requires_grad_()
    (gradient,) = torch.autograd.grad(lstm(x)[0][:, -1].sum(), x)
    sizes = gradient[..., 0].abs().mean(dim=0).flip(0)
    return (sizes / sizes[0]).numpy()


def compared(seeds: int, steps: int) -> tuple[Figure, str]:
    """Memory by forget bias: how far an untrained LSTM sees, and what a trained one recalls."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    lines = ["| forget bias | untrained, 40 steps back | " + " | ".join(f"error, {n} steps" for n in LOOKBACKS) + " |"]
    lines.append("|--:|--:|" + "--:|" * len(LOOKBACKS))
    for bias, colour in zip(BIASES, COLOURS, strict=False):
        far = np.exp(np.log([reach(bias, seed=seed) for seed in range(seeds)]).mean(axis=0))
        left.plot(far, color=colour, label=f"bias {bias:g}")
        cells = [f"{bias:g}", f"{far[-1]:.1e}"]
        for lookback in LOOKBACKS:
            curves = np.array([recall(bias, lookback, seed=seed, steps=steps) for seed in range(seeds)])
            last = curves[:, -50:].mean(axis=1)
            cells.append(f"{last.mean():.3f} ± {last.std(ddof=1):.3f}")
            if lookback == 20:
                smooth = curves.mean(axis=0).reshape(-1, 25).mean(axis=1)
                right.plot(25 * (0.5 + np.arange(len(smooth))), smooth, color=colour, label=f"bias {bias:g}")
        lines.append("| " + " | ".join(cells) + " |")
    left.set(yscale="log", xlabel="steps before the last", ylabel="influence on the last state", title="untrained")
    right.set(xlabel="training step", ylabel="error / variance", title="recall the first of 20 values")
    right.set_ylim(bottom=0)
    left.legend(frameon=False)
    return figure, "\n".join(lines)


def projected() -> str:
    """Weights and multiplications of a step, without and with a projection."""
    lines = ["| hidden_size | proj_size | weights | multiplications a step |", "|--:|--:|--:|--:|"]
    for hidden, size in ((64, 0), (64, 16), (256, 0), (256, 32)):
        (layer,) = counted(nn.LSTM(5, hidden, proj_size=size))
        products = 4 * hidden * (5 + (size or hidden)) + hidden * size
        lines.append(f"| {hidden} | {size or '-'} | {layer.formula} = {layer.count:,} | {products:,} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--steps", type=int, default=1500, help="training steps of a run, a multiple of 25")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each forget bias, at least 2")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        gates, gate_text = traced()
        memory, memory_text = compared(args.seeds, args.steps)
        for name, figure in (("lstm", draw_step()), ("gates", gates), ("forget-bias", memory)):
            figure.savefig(args.out / f"{name}.svg", metadata={"Date": None})
    print(gate_text, memory_text, projected(), sep="\n\n")


if __name__ == "__main__":
    main()
