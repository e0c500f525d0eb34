"""Chooses default hyperparameters: validation parts only, over several series.

    python benchmarks/choose_defaults.py [--models lstm,cnn-lstm] [--jobs 2] [--seeds 2]
        [--task PATH:TARGETS:LOOKBACK:HORIZON ...] --out results/defaults

For every task the test part (the last 20 % of rows) is cut off before anything is read. The other rows are
split into 70 % training, 15 % early stopping and 15 % selection; each candidate is trained with several seeds and
scored by its rmse over naive's on the selection part. Candidates are ranked by the geometric mean of that
ratio over tasks; the worst task stands beside it.
"""

import argparse
import json
import math
import os
import shlex
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import zoo

BUILT_IN_TASKS = [
    "sp500:close:7:1",
    "nasdaq:close:30:5",
    "sp500:high,low:20:10",
    "co2:co2:52:4",
    "co2:co2:104:26",
    "sunspots:sunactivity:33:3",
    "sine:value:50:10",
    "random-walk:value:20:1",
]
# A candidate is one departure from the present defaults; fit.* are FitConfig's, the others the variant's.
CANDIDATES: list[dict[str, object]] = [
    {},
    {"fit.loss": "mse"},
    {"fit.loss": "huber"},
    {"fit.patience": 8},
    {"fit.learning_rate": 3e-4},
    {"fit.learning_rate": 3e-3},
    {"fit.batch_size": 32},
    {"fit.optimizer": "adamw", "fit.weight_decay": 0.1},
    {"hidden_size": 32},
    {"hidden_size": 128},
    {"dropout": 0.1},
]


def measure(job: tuple[str, str, dict[str, object], int]) -> dict[str, object]:
    """One training run, scored on the selection part."""
    task, model_name, candidate, seed = job
    source, targets, lookback, horizon = task.rsplit(":", 3)
    table = zoo.load(source)
    rows = math.floor(len(table) * 0.8)
    data = zoo.prepare(
        zoo.Table(table.source, table.columns, table.values[:rows], missing=table.missing, unusable=table.unusable),
        targets=targets.split(","),
        lookback=int(lookback),
        horizon=int(horizon),
        split=(0.7, 0.15, 0.15),
    )
    fit = {name.removeprefix("fit."): value for name, value in candidate.items() if name.startswith("fit.")}
    params = {name: value for name, value in candidate.items() if not name.startswith("fit.")}
    model = zoo.create(model_name, data.problem, seed=seed, **params)
    started = time.perf_counter()
    history = zoo.fit(model, data.train, data.valid, zoo.FitConfig.of(fit), seed=seed)
    selection = data.test  # of the rows that are left: the real test rows are gone
    return {
        "task": shown(task),
        "model": model_name,
        "candidate": candidate,
        "seed": seed,
        "ratio": 1 - zoo.evaluate(model, selection)["skill"],
        "best_epoch": history.best_epoch,
        "epochs": len(history.epochs),
        "seconds": round(time.perf_counter() - started, 2),
    }


def shown(argument: str) -> str:
    """A task or an argument without the folder of its file."""
    return argument if argument.startswith("results/") else Path(argument).name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="lstm")
    parser.add_argument("--task", action="append", default=[], help="a task on a file of yours")
    parser.add_argument("--candidates", help="JSON list, in place of the ones in this file")
    parser.add_argument("--only-given", action="store_true", help="leave out the built-in tasks")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("results/defaults"))
    chosen = parser.parse_args()
    candidates = json.loads(chosen.candidates) if chosen.candidates else CANDIDATES
    tasks = ([] if chosen.only_given else BUILT_IN_TASKS) + chosen.task
    jobs = [
        (task, model, candidate, seed)
        for model in chosen.models.split(",")
        for candidate in candidates
        for task in tasks
        for seed in range(chosen.seeds)
    ]
    chosen.out.mkdir(parents=True, exist_ok=True)
    results = []
    with (
        (chosen.out / "rows.jsonl").open("w", encoding="utf-8") as file,
        ProcessPoolExecutor(chosen.jobs) as pool,
    ):
        for row in pool.map(measure, jobs):
            results.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{len(results)}/{len(jobs)} {row}", file=sys.stderr)
    command = shlex.join(["python", "benchmarks/choose_defaults.py", *map(shown, sys.argv[1:])])
    report = ranked(results, tasks, command)
    (chosen.out / "report.md").write_text(report, encoding="utf-8")
    print(report)


def ranked(results: list[dict], tasks: list[str], command: str) -> str:
    """A Markdown table of candidates, best geometric mean of rmse / naive's rmse first."""
    rows = pd.DataFrame(results)
    settings = [", ".join(f"{name}={value}" for name, value in each.items()) for each in rows["candidate"]]
    rows["candidate"] = [f"{model} {text or '(defaults)'}" for model, text in zip(rows["model"], settings, strict=True)]
    ratios = rows.pivot_table(index="candidate", columns="task", values="ratio", aggfunc="mean")[[*map(shown, tasks)]]
    summary = pd.DataFrame(
        {
            "mean": np.exp(np.log(ratios).mean(axis=1)),
            "worst": ratios.max(axis=1),
            "seconds": rows.groupby("candidate")["seconds"].sum().round().astype(int),
        }
    )
    table = summary.join(ratios).sort_values("mean").reset_index().to_markdown(index=False, floatfmt=".4f")
    return f"""# rmse over naive's on the selection part; below 1 beats naive

{table}

Tasks are source:targets:lookback:horizon; seconds are the training time of all runs.

Run it again:

    {command}
"""


if __name__ == "__main__":
    main()
