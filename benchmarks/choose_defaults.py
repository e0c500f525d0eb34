"""Chooses default hyperparameters: validation parts only, over the problems of a benchmark.

    python benchmarks/choose_defaults.py [--models lstm,cnn-lstm] [--suites standard my.toml] [--data FILE]
        [--candidates JSON|FILE.toml] [--seeds 2] [--jobs 2] --out results/defaults

The test part of every problem is cut off before anything is fitted. The other rows are split into 70 % training, 15 %
early stopping and 15 % selection; each candidate is trained with several seeds and scored by its rmse over naive's on
the selection part. Of sequences to classify the fixed test part is cut off, the others are split 60:20:20, and the
score is the log loss over naive's. A candidate departs from the settings of its suite. Candidates are ranked by the
geometric mean of that ratio over problems; the worst problem stands beside it.
"""

import argparse
import json
import os
import shlex
import sys
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import zoo
from zoo.benchmark import read_benchmark, shipped
from zoo.data.case_sets import CASE_SETS
from zoo.suite import Suite, prepare_from, read_suite

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


def selection_data(suite: Suite, file: str | None) -> zoo.Data:
    """The data of a suite, or the file that it asks for, without its test rows; the test part is the selection part."""
    cases = zoo.load(suite.data.source) if suite.data.source in CASE_SETS else None
    if cases is not None:
        return zoo.prepare(cases.without_test(), split=(0.6, 0.2, 0.2), normalise=suite.problem.normalise)
    data, problem = suite.data.model_dump(), suite.problem.model_dump()
    data |= {"source": file} if file else {}
    rows = prepare_from(data, problem).split.valid_end
    train, valid = int(0.7 * rows), int(0.15 * rows)
    return prepare_from(data, {**problem, "split": (train, valid, rows - train - valid)})


def measure(job: tuple[Path, str | None, str, dict[str, object], int]) -> dict[str, object]:
    """One training run, scored on the selection part."""
    path, file, model_name, candidate, seed = job
    suite = read_suite(path)
    data = selection_data(suite, file)
    fit = {name.removeprefix("fit."): value for name, value in candidate.items() if name.startswith("fit.")}
    params = {name: value for name, value in candidate.items() if not name.startswith("fit.")}
    fit, params = {**suite.fit, **fit}, {**suite.models.get(model_name, {}), **params}
    model = zoo.create(model_name, data.problem, seed=seed, **params)
    started = time.perf_counter()
    history = zoo.fit(model, data.train, data.valid, zoo.FitConfig.of(fit), seed=seed)
    return {
        "task": path.stem,
        "model": model_name,
        "candidate": candidate,
        "seed": seed,
        "ratio": ratio(model, data),
        "best_epoch": history.best_epoch,
        "epochs": len(history.epochs),
        "seconds": round(time.perf_counter() - started, 2),
    }


def ratio(model: Any, data: zoo.Data) -> float:
    """The error of a model on the selection part over that of naive."""
    if not data.classes:
        return 1 - zoo.evaluate(model, data.test)["skill"]
    naive = zoo.create("naive", data.problem)
    zoo.fit(naive, data.train, data.valid)
    own, base = (zoo.evaluate(each, data.test)["log_loss"] for each in (model, naive))
    return own / base


def suite_files(names: list[str]) -> list[Path]:
    """The suite files that are meant: the suites of a benchmark by its name, or files."""
    files: list[Path] = []
    for name in names:
        benchmark = shipped(name)
        files += [path for path, _ in read_benchmark(benchmark)] if benchmark is not None else [Path(name)]
    return files


def candidates_in(text: str) -> list[dict[str, object]]:
    """The candidates in a TOML file beside this one, or in JSON."""
    if not text.endswith(".toml"):
        return json.loads(text)
    return tomllib.loads((Path(__file__).parent / Path(text).name).read_text(encoding="utf-8"))["candidates"]


def shown(argument: str) -> str:
    """An argument without the folder of its file."""
    return argument if argument.startswith("results/") else Path(argument).name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="lstm", help="names, or files of variants, with commas between them")
    parser.add_argument("--suites", nargs="+", default=["standard"], help="suite files, or names of benchmarks")
    parser.add_argument("--data", help="the file of a suite whose data are yours to bring")
    parser.add_argument(
        "--candidates", help="JSON list, or a TOML file of this folder, in place of the ones in this file"
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("results/defaults"))
    chosen = parser.parse_args()
    candidates = candidates_in(chosen.candidates) if chosen.candidates else CANDIDATES
    suites = suite_files(chosen.suites)
    jobs = [
        (suite, chosen.data, model, candidate, seed)
        for model in chosen.models.split(",")
        for suite in suites
        for seed in range(chosen.seeds)
        for candidate in candidates
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
    report = ranked(results, [suite.stem for suite in suites], command)
    (chosen.out / "report.md").write_text(report, encoding="utf-8")
    print(report)


def ranked(results: list[dict], tasks: list[str], command: str) -> str:
    """A Markdown table of candidates, best geometric mean of rmse / naive's rmse first."""
    rows = pd.DataFrame(results)
    settings = [", ".join(f"{name}={value}" for name, value in each.items()) for each in rows["candidate"]]
    rows["candidate"] = [f"{model} {text or '(defaults)'}" for model, text in zip(rows["model"], settings, strict=True)]
    ratios = rows.pivot_table(index="candidate", columns="task", values="ratio", aggfunc="mean")[tasks]
    summary = pd.DataFrame(
        {
            "mean": np.exp(np.log(ratios).mean(axis=1)),
            "worst": ratios.max(axis=1),
            "seconds": rows.groupby("candidate")["seconds"].sum().round().astype(int),
        }
    )
    table = summary.join(ratios).sort_values("mean").reset_index().to_markdown(index=False, floatfmt=".4f")
    return f"""# rmse (of classes the log loss) over naive's on the selection part; below 1 beats naive

{table}

Tasks are suites; seconds are the training time of all runs.

Run it again:

    {command}
"""


if __name__ == "__main__":
    main()
