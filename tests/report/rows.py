"""Made-up rows for tests of reports: as a frame, or written to a folder with their predictions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from zoo.cell import row_from
from zoo.metrics import METRICS
from zoo.run.results import frame_of, results

PROBLEM = {
    "task": "forecast", "lookback": 7, "horizon": 1, "channels": ["open", "close"], "targets": ["close"],
    "split": [70, 10, 20], "scaler": "standard", "normalise": "last",
}  # fmt: skip
DATA = {
    "source": "x.csv", "fingerprint": "f" * 64, "rows": 100, "columns": None, "time": None, "missing": "refuse",
    "first": "2020-01-01", "last": "2020-04-09", "notes": ["a note"],
}  # fmt: skip
STUDY = {
    "name": "x-lstm", "storage": "study.journal", "sampler": "tpe", "pruner": "none", "seed": 0, "repeats": 3,
    "ranges": {"hidden_size": {}, "fit.max_epochs": {}}, "settings": {}, "is_reproducible": True,
}  # fmt: skip
TUNING = {
    "lookback": 7, "valid_loss": 0.1, "study": STUDY, "budget": {"trials": 30, "max_epochs": 3},
    "cost": {"trials": 30, "complete": 8, "pruned": 20, "failed": 2, "seconds": 1234.4},
    "command": "zoo tune lstm x.csv",
}  # fmt: skip
WINDOWS = 400
STEPS = np.random.default_rng(0).standard_normal((WINDOWS, 1, 1))


def metrics(**values):
    return {**dict.fromkeys(METRICS), **values}


def row(variant, seed, skill, *, tags=("lstm",), error=None, params=None, problem=PROBLEM, **fields):
    """A row as it lies in a file."""
    figures = metrics(rmse=10 * (1 - skill), mae=8 * (1 - skill), r2=0.9, skill=skill) if error is None else None
    return {
        "key": f"{variant}{seed}{params}", "suite": "mine", "variant": variant, "tags": list(tags), "seed": seed,
        "params": params or {}, "metrics": figures, "train_seconds": 2.0, "windows_per_second": 1234.5, "epochs": 3,
        "best_epoch": 2, "parameter_count": 99, "device": "cpu", "threads": 1, "dtype": "float32", "problem": problem,
        "data": DATA, "fit": None if "deterministic" in tags else {"max_epochs": 3}, "commit": "abc", "error": error,
        "machine": {"cpu": "a cpu", "cores": 2, "system": "an OS"}, "versions": {"torch": "2"},
        "command": "zoo bench x.csv", "started": "2026", "schema_version": 2, **fields,
    }  # fmt: skip


NAIVE = row("naive", 0, 0.0, tags=("baseline", "deterministic"))
LSTM = [row("lstm", seed, skill) for seed, skill in enumerate((0.01, 0.02, 0.03))]


def code(sha256, kind="file", name="mine.py"):
    return {"kind": kind, "name": name, "sha256": sha256}


def frame(rows) -> pd.DataFrame:
    """The rows as zoo.results gives them."""
    return frame_of([(Path("nowhere"), row_from(one)) for one in rows])


def forecasts(share, seed, noise=0.3):
    """Forecasts that foresee `share` of each step, with a noise of their own."""
    return share * STEPS + noise * np.random.default_rng(1000 + seed).standard_normal(STEPS.shape)


def entries(variant, share, first_seed, seeds=3, noise=0.3, **fields):
    """For `written`: the seeds of a variant whose forecasts foresee `share` of each step."""
    return [(variant, seed, forecasts(share, first_seed + seed, noise), fields) for seed in range(seeds)]


def written(folder, entries, *, problem=PROBLEM, windows=WINDOWS):
    """A folder of rows with their predictions; entries are (variant, seed, forecast, fields)."""
    (folder / "predictions").mkdir(parents=True)
    steps = STEPS[:windows]
    truth = {"truth": steps, "last": np.zeros((windows, 1)), "target_row": np.arange(windows)}
    np.savez(folder / "predictions/truth.npz", **truth)
    lines = []
    for number, (variant, seed, forecast, fields) in enumerate(entries):
        one = row(variant, seed, 0.0, problem=problem, truth="predictions/truth.npz", stopped="patience")
        one |= {"predictions": None, "key": f"{variant}{seed}{number}{folder.name}", **fields}
        if forecast is not None:
            forecast = forecast[:windows]
            rmse = float(np.sqrt(np.mean((forecast - steps) ** 2)))
            skill = 1 - rmse / float(np.sqrt(np.mean(steps**2)))
            one["metrics"] = one["metrics"] | {"rmse": rmse, "skill": skill}
            np.savez(folder / f"predictions/{number}.npz", forecast=forecast)
            one["predictions"] = f"predictions/{number}.npz"
        lines.append(json.dumps(one))
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def read(folder, entries, **how) -> pd.DataFrame:
    """The frame of a folder that is written with these entries."""
    return results(written(folder, entries, **how))
