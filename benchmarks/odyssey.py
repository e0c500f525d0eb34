"""What each part of an LSTM is worth: the rows of `zoo bench odyssey` as ratios to the LSTM that has them all.

    zoo bench odyssey --out results
    zoo tune lstm NAME.toml --trials 100 --sampler random --pruner none --out results/lstm-parts/tune-NAME
    python benchmarks/odyssey.py [--results results] [--out results/lstm-parts]

For each variant the rmse on test over that of peephole-lstm: means over seeds, then the geometric mean over problems.
The interval is a bootstrap over problems and, within each, over the seeds of both models; it holds for the whole table
at 95 % (Bonferroni). The importance of a hyperparameter is its share of the variance of the validation loss (fANOVA:
Hutter et al. 2014) over the random trials of each folder tune-NAME.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

import zoo
from zoo.benchmark import Benchmark, shipped
from zoo.records import checked
from zoo.suite import read_toml

WHOLE = "peephole-lstm"
DRAWS = 10_000


def errors_of(folder: Path, benchmark: Benchmark) -> dict[str, dict[str, np.ndarray]]:
    """The rmse of every seed, by variant and problem; raises SystemExit for a variant that did not run on a problem."""
    errors: dict[str, dict[str, np.ndarray]] = {name: {} for name in benchmark.models or []}
    for suite in benchmark.suites:
        problem = Path(suite).stem
        rows = zoo.results(folder / problem)
        rows = rows[rows["error"].isna()]
        for name, by_problem in errors.items():
            by_problem[problem] = rows.loc[rows["variant"] == name, "rmse"].to_numpy()
            if not len(by_problem[problem]):
                raise SystemExit(f"no rows of {name} on {problem} in {folder}: run zoo bench odyssey --out {folder}")
    return errors


def compared(errors: dict[str, dict[str, np.ndarray]]) -> pd.DataFrame:
    """One line for each variant: its ratio to the whole LSTM, the interval, whether it is better, ratios by problem."""
    random = np.random.default_rng(0)
    whole, lines = errors[WHOLE], []
    level = 0.05 / (len(errors) - 1)
    for name, own in errors.items():
        if name == WHOLE:
            continue
        drawn = np.stack([_log_ratios(random, own[problem], whole[problem]) for problem in whole])
        picked = random.integers(len(drawn), size=(len(drawn), DRAWS))
        means = np.take_along_axis(drawn, picked, axis=0).mean(axis=0)
        low, high = np.exp(np.quantile(means, [level / 2, 1 - level / 2]))
        ratios = {problem: own[problem].mean() / whole[problem].mean() for problem in whole}
        lines.append(
            {
                "variant": name,
                "ratio": np.exp(np.mean(np.log(list(ratios.values())))),
                "interval": f"{low:.3f} to {high:.3f}",
                "differs": "better" if high < 1 else "worse" if low > 1 else "not clearly",
                **ratios,
            }
        )
    return pd.DataFrame(lines).sort_values("ratio")


def _log_ratios(random: np.random.Generator, own: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """DRAWS log ratios of means over seeds, the seeds drawn anew each time."""
    means = [each[random.integers(len(each), size=(DRAWS, len(each)))].mean(axis=1) for each in (own, whole)]
    return np.log(means[0] / means[1])


def importances(trials: list[dict]) -> dict[str, float]:
    """The share of each hyperparameter in the variance of the validation loss of trials."""
    complete = [trial for trial in trials if trial["state"] == "complete"]
    distributions: dict[str, optuna.distributions.BaseDistribution] = {}
    for name in complete[0]["params"]:
        values = sorted({trial["params"][name] for trial in complete})
        if isinstance(values[0], str):
            distributions[name] = optuna.distributions.CategoricalDistribution(values)
        else:
            kind = (
                optuna.distributions.IntDistribution
                if isinstance(values[0], int)
                else optuna.distributions.FloatDistribution
            )
            distributions[name] = kind(values[0], values[-1], log=values[0] > 0)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for trial in complete:
        study.add_trial(
            optuna.create_trial(params=trial["params"], distributions=distributions, value=trial["valid_loss"])
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def importance_section(folder: Path) -> str:
    """The importances in every study below a folder, as Markdown; empty where there is none."""
    table, commands = {}, []
    for place in sorted(folder.glob("tune-*/trials.jsonl")):
        problem = place.parent.name.removeprefix("tune-")
        trials = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
        without = [trial for trial in trials if trial["params"]["fit.optimizer"] != "sgd"]
        table[f"{problem}, {len(trials)} trials"] = importances(trials)
        table[f"{problem}, {len(without)} without sgd"] = importances(without)
        commands.append(
            f"    zoo tune lstm benchmarks/suites/{problem}.toml --trials {len(trials)} --sampler random --pruner none "
            f"--out results/lstm-parts/{place.parent.name}"
        )
    if not table:
        return ""
    shares = pd.DataFrame(table).sort_values(next(iter(table)), ascending=False)
    return f"""## Importance of hyperparameters

{shares.reset_index(names="hyperparameter").to_markdown(index=False, floatfmt=".2f")}

The share of each in the variance of the validation loss of `lstm` over random trials (fANOVA), of

{chr(10).join(commands)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, default=Path("results/lstm-parts"))
    chosen = parser.parse_args()
    path = shipped("odyssey")
    assert path is not None
    errors = errors_of(chosen.results, checked(Benchmark, read_toml(path), str(path)))
    seeds = sorted({len(each) for own in errors.values() for each in own.values()})
    report = f"""# rmse over that of {WHOLE}, the LSTM with all its parts

{compared(errors).to_markdown(index=False, floatfmt=".3f")}

Below 1 the variant is better. {" or ".join(map(str, seeds))} seeds of each model on each of {len(errors[WHOLE])}
problems; the interval, over problems and seeds, holds for the whole table at 95 %.

{importance_section(chosen.out)}
Run it again:

    zoo bench odyssey --out results
    python benchmarks/odyssey.py
"""
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "report.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
