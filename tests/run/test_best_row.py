"""zoo fit --from: the best settings of a run by its validation rows, trained and saved."""

import json

import pandas as pd
import pytest

import zoo
from tests.cases import made_cases
from tests.conftest import price_frame, run_zoo_here
from tests.rows import accuracy_row, failed_row
from zoo.run.best_row import best_row, suite_settings
from zoo.run.store import RowStore
from zoo.suite import expand, suite_of

QUICK = ["--set", "fit.max_epochs=3", "--jobs", "1"]


def written(folder, rows):
    store = RowStore(folder)
    for number, row in enumerate(rows):
        store.append(row.model_copy(update={"key": f"{number:064d}"}))
    store.close()
    return folder


def row(variant, valid_skill, seed=0, **changes):
    code = zoo.variant(variant).code.portable.model_dump()
    return accuracy_row(**{"variant": variant, "valid_skill": valid_skill, "seed": seed, "code": code, **changes})


def test_validation_decides_and_test_figures_do_not(tmp_path):
    rows = [
        *(row("lstm", skill, seed, metrics={"skill": 0.9, "rmse": 0.1}) for seed, skill in enumerate((0.1, 0.2))),
        *(row("gru", skill, seed, metrics={"skill": -9.0, "rmse": 99.0}) for seed, skill in enumerate((0.16, 0.18))),
        row("ridge", 0.165),
    ]
    best = best_row(written(tmp_path / "a", rows))
    assert (best.row.variant, best.row.seed, best.row.valid_skill) == ("gru", 1, 0.18)  # the mean, then the best seed
    assert "(+17.00 %, mean of 2) of 3 settings" in best.notes[0]
    assert best_row(tmp_path / "a", ["lstm"]).row.seed == 1
    with_sizes = [row("lstm", skill, params={"hidden_size": size}) for size, skill in ((8, 0.1), (16, 0.3), (32, 0.2))]
    assert best_row(written(tmp_path / "b", with_sizes)).row.params == {"hidden_size": 16}


def test_what_cannot_be_compared_is_not_considered(tmp_path):
    old_code = {"kind": "zoo", "name": "zoo.models.gru", "sha256": "0" * 64}
    failing = failed_row(variant="bilstm", seed=1, code=zoo.variant("bilstm").code.portable.model_dump())
    rows = [
        row("ridge", 0.1), row("gru", 0.9, code=old_code), row("linear", None), row("bilstm", 0.8), failing,
        accuracy_row(variant="mine", valid_skill=0.7, code=old_code),
    ]  # fmt: skip
    best = best_row(written(tmp_path, rows))
    assert best.row.variant == "ridge"
    for reason in (
        "gru (its code has changed since)", "linear (no skill on validation rows", "bilstm (a run failed)",
        "mine (the variant is not loaded: name its file)",
    ):  # fmt: skip
        assert reason in best.notes[1]
    assert best_row(tmp_path, ["linear"]).notes == (f"linear, seed 0, from {tmp_path}: the only settings there",)
    for names, rule in (
        (["gru"], r"no settings in .* can be chosen: gru \(its code has changed since\); name one variant"),
        (["tcn"], "has no rows of tcn, only of bilstm, gru, linear, mine, ridge"),
    ):
        with pytest.raises(zoo.InputError, match=rule):
            best_row(tmp_path, names)
    with pytest.raises(zoo.InputError, match="no accuracy rows in .*rows.jsonl: run zoo bench DATA --out"):
        best_row(tmp_path / "absent")
    for number, change in enumerate(
        ({"horizon": 2}, {"task": "quantile", "quantiles": [0.1, 0.5, 0.9]}, {"split": [1, 1, 1]})
    ):
        rows = [row("ridge", 0.1), row("ridge", 0.1, problem=change)]
        with pytest.raises(
            zoo.InputError, match="holds several problems .forecast of close of prices.csv, 1 ahead, sp"
        ):
            best_row(written(tmp_path / f"two{number}", rows))


STOCKS = pd.concat([price_frame(120, seed=number).assign(symbol=f"S{number}") for number in range(2)])


@pytest.mark.process
@pytest.mark.parametrize(
    "settings",
    [
        {"split": (205, 35, 60), "horizon": 2, "lookback": 9, "scaler": "log", "normalise": "instance"},
        {"quantiles": (0.1, 0.5, 0.9), "conformal": True, "adaptive": True, "channels": ["close", "open"]},
        {"direction": True, "calendar": ["weekday"], "known": ["volume"]},
        {"direction": "1%"},
        {"series": "symbol"},
        {"series": "symbol", "only": "S1"},
        {"folds": 2},
        {},
    ],
    ids=str,
)
def test_a_row_gives_the_suite_that_repeats_it(settings, tmp_path):
    data = STOCKS if "series" in settings else made_cases(40, (6, 9)) if not settings else price_frame()
    targets = None if not settings else "close"
    run = zoo.bench(data, targets, models=["gru"], seeds=1, fit={"max_epochs": 1}, jobs=1, out=tmp_path, **settings)
    best = best_row(run.folder).row
    assert best.valid_skill is not None
    (cell,), again = expand(suite_of(suite_settings(best), "test"))
    whole = best.problem.model_copy(update={"fold": 0, "folds": 1})
    assert cell.key == best.model_copy(update={"problem": whole}).keyed().key
    source = str(tmp_path / "data.csv")
    (other,), data = expand(suite_of(suite_settings(best, source), "test"))  # the same file, named as another
    assert data.fingerprint == again.fingerprint and other.problem.split == cell.problem.split


@pytest.mark.process
def test_fit_takes_the_best_of_a_run_by_its_validation_rows(prices_csv, tmp_path):
    out = tmp_path / "out"
    how = ["--targets", "close", "--models", "naive,lstm,gru", "--seeds", "2", "--split", "200,40,60"]
    assert run_zoo_here("bench", prices_csv, *how, *QUICK, "--out", out).returncode == 0
    rows = zoo.results(out)
    data = zoo.prepare(prices_csv, targets="close", split=(200, 40, 60))
    for _, measured in rows.iterrows():  # what is stored is the skill on validation rows
        model = zoo.create(measured["variant"], data.problem, seed=measured["seed"])
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=3, device="cpu"), seed=measured["seed"])
        assert measured["valid_skill"] == pytest.approx(zoo.evaluate(model, data.valid)["skill"], abs=1e-12)
    best = rows.groupby("variant")["valid_skill"].mean().idxmax()
    own = rows[rows["variant"] == best].sort_values("valid_skill").iloc[-1]
    ended = run_zoo_here("fit", "--from", out, "--out", tmp_path / "model")
    assert ended.returncode == 0 and f"note: {best}, seed {own['seed']}, from {out}" in ended.stderr, ended.stderr
    about = json.loads((tmp_path / "model" / "model.json").read_text())["about"]
    assert about["metrics"]["rmse"] == own["rmse"] and about["seed"] == own["seed"]
    # More rows: the same shares of them. A flag counts more than the run.
    longer = tmp_path / "longer.csv"
    price_frame(450).to_csv(longer, index=False)
    ended = run_zoo_here(
        "fit", "best", longer, "--from", out, "--seed", "7", "--lookback", "9", "--out", tmp_path / "m"
    )
    assert ended.returncode == 0 and "the data differ from those of the run" in ended.stderr
    other = json.loads((tmp_path / "m" / "model.json").read_text())
    assert (other["variant"], other["about"]["seed"], other["problem"]["lookback"]) == (best, 7, 9)
    assert other["about"]["split"] == [300, 60, 90] and other["about"]["fit"]["max_epochs"] == 3


def test_a_wrong_request_is_one_line(prices_csv, tmp_path):
    for arguments, rule in (
        ((), "name a variant and data, as in zoo fit lstm prices.csv, or take both from a run: --from OUT"),
        (("lstm",), "name a variant and data"),
        (("--from", tmp_path / "absent"), "no accuracy rows in"),
        ((prices_csv, "--from", tmp_path), f"zoo fit best {prices_csv} --from {tmp_path}"),
        (("--from", tmp_path, "--advised"), "--from takes the settings of a run, and --advised those of zoo data"),
        (("--from", tmp_path, "--tuned", tmp_path), "--from and --tuned each say where the settings come from"),
    ):
        ended = run_zoo_here("fit", *arguments, "--out", tmp_path / "model")
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1) and rule in ended.stderr
    assert not (tmp_path / "model").exists()
