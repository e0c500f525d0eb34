"""Whether a study of rolling validation parts chooses better settings than one validation part, in the same time.

    python benchmarks/tune_folds.py [--model gru] [--suites standard] [--seconds 60] [--folds 3] [--studies 2]
        [--jobs 2] --out results/tune-folds

On each problem two kinds of study run for the same seconds, each with several study seeds; a trial of the second one
trains on several rolling origins, so it has fewer trials. The best settings are then trained on the usual split, with
three seeds that no study used, and scored on the test part, beside the defaults. Generated problems are left out.
"""

import argparse
import json
import math
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import zoo
from zoo.benchmark import read_benchmark, shipped
from zoo.stats.intervals import mean_interval
from zoo.suite import prepare_from, read_suite

SEEDS = range(100, 103)
GENERATED = {"random-walk", "sine", "narma", "mackey-glass", "adding", "regimes"}


def measure(job: tuple[Path, str, int, int, float]) -> dict[str, object]:
    """The test error of what one study chose (of the defaults where folds is 0), over naive's, a mean over seeds."""
    path, model_name, folds, seed, seconds = job
    suite = read_suite(path)
    data = prepare_from(suite.data.model_dump(), suite.problem.model_dump())
    params, config, trials = {}, zoo.FitConfig(), 0
    if folds:
        study = zoo.tune(model_name, data, trials=100_000, timeout=seconds, folds=folds, seed=seed)
        params, config, trials = study.best_params, study.best_fit, study.cost.trials
    skills = []
    for each in SEEDS:
        model = zoo.create(model_name, data.problem, seed=each, **params)
        zoo.fit(model, data.train, data.valid, config, seed=each)
        skills.append(zoo.evaluate(model, data.test)["skill"])
    return {
        "model": model_name, "problem": path.stem, "folds": folds, "seed": seed, "trials": trials,
        "error_ratio": 1 - float(np.mean(skills)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gru")
    parser.add_argument("--suites", nargs="+", default=["standard"], help="suite files, or names of benchmarks")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each study")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--studies", type=int, default=2, help="studies of each kind on each problem")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/tune-folds"))
    asked = parser.parse_args()
    files: list[Path] = []
    for name in asked.suites:
        benchmark = shipped(name)
        files += [path for path, _ in read_benchmark(benchmark)] if benchmark is not None else [Path(name)]
    files = [path for path in files if path.stem not in GENERATED]
    jobs = [
        (path, asked.model, folds, seed, asked.seconds)
        for path in files
        for folds in (0, 1, asked.folds)
        for seed in range(asked.studies if folds else 1)
    ]
    asked.out.mkdir(parents=True, exist_ok=True)
    results = []
    with (
        (asked.out / "rows.jsonl").open("w", encoding="utf-8") as file,
        ProcessPoolExecutor(asked.jobs) as pool,
    ):
        for row in pool.map(measure, jobs):
            results.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{len(results)}/{len(jobs)} {row}", file=sys.stderr)
    text = report(pd.DataFrame(results), asked)
    (asked.out / "report.md").write_text(text, encoding="utf-8")
    print(text)


def report(rows: pd.DataFrame, asked: argparse.Namespace) -> str:
    """The error ratio of each problem by kind of study, and whether the kinds differ over all problems."""
    kinds = {0: "defaults", 1: "one part", asked.folds: f"{asked.folds} origins"}
    table = rows.pivot_table(index="problem", columns="folds", values="error_ratio").rename(columns=kinds)
    trials = rows.pivot_table(index="problem", columns="folds", values="trials")[[1, asked.folds]].round()
    logs = np.log(table[kinds[asked.folds]] / table[kinds[1]])
    low, high = (math.exp(each) for each in mean_interval(logs.mean(), logs.std(ddof=1), len(logs)))
    verdict = "lower" if high < 1 else "higher" if low > 1 else "no clear difference"
    trials.columns = ["trials", f"trials of {asked.folds}"]
    whole = table[list(kinds.values())].join(trials.astype(int)).reset_index()
    return f"""# Tuning on one validation part, or on {asked.folds} rolling origins

Over {len(table)} problems the test error of settings chosen on {asked.folds} origins is
{math.exp(logs.mean()):.3f} of that of settings chosen on one part (95 % interval {low:.3f} to {high:.3f}): {verdict}.

{whole.to_markdown(index=False, floatfmt=".4f")}

{asked.model}; rmse over naive's on the test part, means over {len(SEEDS)} seeds and {asked.studies} studies, each of
{asked.seconds:g} s.

Run it again:

    python benchmarks/tune_folds.py --model {asked.model} --seconds {asked.seconds:g} --folds {asked.folds} \\
        --studies {asked.studies}
"""


if __name__ == "__main__":
    main()
