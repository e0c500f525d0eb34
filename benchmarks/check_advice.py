"""What the settings that `zoo data` suggests bring, beside those of a first `zoo bench` without any.

    python benchmarks/check_advice.py [--model ridge] [--out results/advice]

Each problem of the standard benchmark keeps its target, horizon and split. Lookback, level, scaler and the policy for
missing values are once the defaults, once those that `zoo data` suggests from the first 80 % of the rows.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
from scipy.stats import gmean

import zoo
from zoo.benchmark import read_benchmark, shipped
from zoo.data.advice import advice_on
from zoo.data.spacing import spacing
from zoo.data.table import match_columns
from zoo.problem import LOOKBACK
from zoo.suite import prepare_from, read_suite

DEFAULTS = {"lookback": LOOKBACK, "normalise": "last", "scaler": "standard"}


def measure(path: Path, name: str) -> dict[str, object]:
    """The test error over naive's with both kinds of settings."""
    suite = read_suite(path)
    source, problem = suite.data.model_dump(), suite.problem.model_dump()
    table = zoo.load(suite.data.source)
    target = match_columns(suite.data.targets[:1], table.columns, table.source)
    usual = spacing(table.time)
    advice = advice_on(table.select(target)[:, 0], usual.season if usual else None)
    suggested = {each.option: each.value for each in advice if each.option != "missing" and each.option}
    row: dict[str, object] = {"problem": path.stem, **suggested}
    for kind, settings in (("defaults", DEFAULTS), ("suggested", DEFAULTS | suggested)):
        data = prepare_from(source, {**problem, **settings, "lookback": int(settings["lookback"])})
        model = zoo.create(name, data.problem, seed=0)
        zoo.fit(model, data.train, data.valid, seed=0)
        row[kind] = 1 - zoo.evaluate(model, data.test)["skill"]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ridge")
    parser.add_argument("--out", type=Path, default=Path("results/advice"))
    asked = parser.parse_args()
    standard = shipped("standard")
    assert standard is not None
    rows = [{**measure(path, asked.model), "model": asked.model} for path, _ in read_benchmark(standard)]
    frame = pd.DataFrame(rows).drop(columns="model")
    ratio = (frame.suggested.astype(float) / frame.defaults.astype(float)).to_numpy()
    text = f"""# What the settings bring that `zoo data` suggests

On the {len(frame)} problems of the standard benchmark the test error of {asked.model} with the suggested settings is
{gmean(ratio):.3f} of that with the defaults (geometric mean): lower on {(ratio < 0.995).sum()}, higher on
{(ratio > 1.005).sum()}.

{frame.fillna("").to_markdown(index=False, floatfmt=".3f")}

defaults, suggested: test rmse over naive's.

Run it again:

    python benchmarks/check_advice.py --model {asked.model}
"""
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (asked.out / "report.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
