"""Choose how fast adaptive quantiles follow their hits and misses, on validation rows of the standard problems.

    python benchmarks/choose_adaptation.py [--models naive,ridge,gru] [--jobs 2] --out results/adaptive

The test part of every problem is cut off. The rates are compared on the usual validation part; as many rows before it
calibrate the quantiles, and the model learns from the rows before these.
"""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
from scipy.stats import gmean

import zoo
from zoo.adaptive import adapted
from zoo.benchmark import read_benchmark, shipped
from zoo.suite import prepare_from, read_suite
from zoo.train.evaluate import scores

RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
LEVELS = (0.1, 0.5, 0.9)


def measure(job: tuple[Path, str]) -> list[dict[str, object]]:
    """Coverage and crps of one model on one problem at every rate; crps in training deviations."""
    path, name = job
    suite = read_suite(path)
    source, problem = suite.data.model_dump(), suite.problem.model_dump()
    split = prepare_from(source, problem).split
    compared = split.valid_end - split.train_end
    problem |= {"split": (split.train_end - compared, compared, compared), "quantiles": LEVELS, "conformal": True}
    data = prepare_from(source, problem)
    model = zoo.create(name, data.problem, seed=0)
    zoo.fit(model, data.train, data.valid, seed=0)
    quantiles, actual, windows = zoo.forecast(model, data.test), data.test.truth(), data.test
    rows = []
    for rate in RATES:
        moved = adapted(quantiles, actual, windows.target_rows(), LEVELS, rate=rate)
        metrics = scores(moved, None, windows, model)
        rows.append({
            "problem": path.stem, "model": name, "rate": rate, "windows": len(windows),
            "coverage": 100 * metrics["coverage"],
            "crps": metrics["crps"],
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="naive,ridge,gru")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/adaptive"))
    asked = parser.parse_args()
    standard = shipped("standard")
    assert standard is not None
    jobs = [(path, name) for path, _ in read_benchmark(standard) for name in asked.models.split(",")]
    with ProcessPoolExecutor(asked.jobs) as pool:
        rows = [row for part in pool.map(measure, jobs) for row in part]
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = report(pd.DataFrame(rows), asked.models)
    (asked.out / "report.md").write_text(text, encoding="utf-8")
    print(text)


def report(rows: pd.DataFrame, models: str) -> str:
    """What each rate does to coverage and crps, over all problems and models."""
    rows = rows.assign(distance=(rows.coverage - 80).abs())
    still = rows[rows.rate == 0].set_index(["problem", "model"]).crps
    rows["ratio"] = rows.crps.to_numpy() / still.loc[list(zip(rows.problem, rows.model, strict=True))].to_numpy()
    by_rate = rows.groupby("rate")
    table = pd.DataFrame({
        "within 3 points, %": 100 * by_rate.distance.apply(lambda each: (each <= 3).mean()),
        "median distance": by_rate.distance.median(),
        "largest distance": by_rate.distance.max(),
        "crps over that of rate 0": by_rate.ratio.apply(gmean),
    }).reset_index()  # fmt: skip
    coverage = rows[rows.model == models.split(",")[-1]].pivot_table(index="problem", columns="rate", values="coverage")
    return f"""# How fast adaptive quantiles follow

The 80 % interval of {models} on the usual validation parts of the {rows.problem.nunique()} standard problems: how far
its coverage is from 80 %, and what that costs. Rate 0 is --conformal alone.

{table.to_markdown(index=False, floatfmt=("g", ".0f", ".1f", ".1f", ".3f"))}

Coverage in % of {models.split(",")[-1]} at each rate:

{coverage.to_markdown(floatfmt=".1f")}

Run it again:

    python benchmarks/choose_adaptation.py --models {models}
"""


if __name__ == "__main__":
    main()
