"""Whether zoo select picks the right kind of model, on generated series whose best one is known.

    python benchmarks/select_families.py [--budget 60] [--seeds 0,1,2] [--families drift,ar] [--jobs 2]
        --out results/select

Seven families of series, one for each seed; the pick counts where it is among the models that the family asks for. Test
rows have no part in it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import zoo
from zoo.selection.select import select
from zoo.suite import suite_of

ROWS = 1500
LINEAR = {"ridge", "linear", "nlinear", "dlinear", "auto-arima", "auto-ets", "auto-theta"}


def random_walk(random: np.random.Generator) -> np.ndarray:
    """Unit steps: the last value is the best forecast."""
    return 100 + random.normal(size=ROWS).cumsum()


def drift(random: np.random.Generator) -> np.ndarray:
    """Steps with a mean of one deviation: a line that goes on."""
    return 100 + (1 + random.normal(size=ROWS)).cumsum()


def seasonal(random: np.random.Generator) -> np.ndarray:
    """Each month as in the year before, and a step of its own."""
    values = np.zeros(ROWS + 12)
    values[:12] = 10 * random.normal(size=12)
    for t in range(12, len(values)):
        values[t] = values[t - 12] + random.normal()
    return values[12:]


def ar(random: np.random.Generator) -> np.ndarray:
    """A stationary autoregression of second order."""
    values, noise = np.zeros(ROWS), random.normal(size=ROWS)
    for t in range(2, ROWS):
        values[t] = 0.6 * values[t - 1] - 0.5 * values[t - 2] + noise[t]
    return 20 + values


def threshold_ar(random: np.random.Generator) -> np.ndarray:
    """An autoregression whose coefficient depends on the sign of the last value (Tong 1990)."""
    values, noise = np.zeros(ROWS), random.normal(size=ROWS)
    for t in range(1, ROWS):
        values[t] = (-0.9 if values[t - 1] > 0 else 0.8) * values[t - 1] + 0.5 * noise[t]
    return values


def narma(random: np.random.Generator) -> np.ndarray:
    """NARMA-10 (Atiya & Parlos 2000), whose drive is a second column."""
    drive, value = random.uniform(0, 0.5, ROWS), np.full(ROWS, 0.2)
    for t in range(9, ROWS - 1):
        recent = value[t - 9 : t + 1].sum()
        value[t + 1] = 0.3 * value[t] + 0.05 * value[t] * recent + 1.5 * drive[t - 9] * drive[t] + 0.1
    return np.column_stack([value, drive])


def mackey_glass(random: np.random.Generator) -> np.ndarray:
    """The Mackey-Glass equation with a delay of 17, from a random start, every sixth unit, with a little noise."""
    step, delay = 0.1, 170
    x = np.concatenate([random.uniform(0.5, 1.3, delay + 1), np.zeros(60 * (ROWS + 50))])
    for t in range(delay, len(x) - 1):
        x[t + 1] = x[t] + step * (0.2 * x[t - delay] / (1 + x[t - delay] ** 10) - 0.1 * x[t])
    return x[::60][-ROWS:] + 0.01 * random.normal(size=ROWS)


# What a family asks for: the names that count as right; None: anything nonlinear.
FAMILIES: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], set[str] | None]] = {
    "random-walk": (random_walk, {"naive"}),
    "drift": (drift, {"drift", *LINEAR}),
    "seasonal": (seasonal, {"seasonal-naive", *LINEAR}),
    "ar": (ar, LINEAR),
    "threshold-ar": (threshold_ar, None),
    "narma": (narma, None),
    "mackey-glass": (mackey_glass, None),
}
SIMPLE = {"naive", "drift", "seasonal-naive", "moving-average", *LINEAR}


def measure(family: str, seed: int, budget: float, jobs: int) -> dict[str, object]:
    """What is picked for one series, and how long that took."""
    make, right = FAMILIES[family]
    values = make(np.random.default_rng(seed))
    columns = ["value", "drive"][: values.ndim]
    frame = pd.DataFrame(values.reshape(ROWS, -1), columns=columns)
    frame.insert(0, "month", pd.date_range("1900-01-01", periods=ROWS, freq="MS"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{family}.csv"
        frame.to_csv(path, index=False)
        suite = suite_of({"name": family, "data": {"source": str(path), "targets": ["value"]}}, family)
        started = time.monotonic()
        choice = select(suite, Path(folder) / "out", budget_seconds=budget, jobs=jobs, seed=seed)
        seconds = time.monotonic() - started
    name = choice.row.variant
    metrics = choice.row.metrics
    return {
        "family": family,
        "seed": seed,
        "pick": choice.label,
        "variant": name,
        "lookback": choice.lookback,
        "right": name not in SIMPLE if right is None else name in right,
        "test_skill": None if metrics is None else metrics.skill,
        "seconds": round(seconds, 1),
        "candidates": choice.table.head(6)[["label", "error_ratio"]].round(4).to_numpy().tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for each series")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/select"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    results = []
    with (asked.out / "rows.jsonl").open("w", encoding="utf-8") as file:
        for family in asked.families.split(","):
            for seed in map(int, asked.seeds.split(",")):
                results.append(measure(family, seed, asked.budget, asked.jobs))
                file.write(json.dumps(results[-1]) + "\n")
                file.flush()
                print(results[-1], file=sys.stderr)
    rows = pd.DataFrame(results)
    table = rows[["family", "seed", "pick", "lookback", "right", "test_skill", "seconds"]]
    longest = rows["seconds"].max() / asked.budget
    text = f"""# What zoo select picks for series whose best model is known

{int(rows["right"].sum())} of {len(rows)} picks are of the right kind. Each had {asked.budget:g} s; the slowest took
{longest:.2f} times that.

{table.to_markdown(index=False, floatfmt=".3f")}

Right: for a random walk naive; for drift and seasonal series a rule or a linear model that holds them; for an
autoregression a linear model; for the others anything nonlinear. test_skill: over naive, on the test part.

Run it again (lstm-zoo {zoo.__version__}):

    python benchmarks/select_families.py --budget {asked.budget:g} --seeds {asked.seeds} --jobs {asked.jobs}
"""
    (asked.out / "report.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
