"""zoo explain, from a kept model to the answer."""

import json
import re

import pandas as pd
import pytest

import zoo
from tests.conftest import run_zoo_here
from tests.explanation.truths import three_channels


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with a model of the series in which c2 at lag 3 matters, and that series."""
    folder = tmp_path_factory.mktemp("kept")
    three_channels().to_csv(folder / "y.csv", index=False)
    ended = run_zoo_here(
        "fit", "lstm", folder / "y.csv", "--targets", "y", "--normalise", "none", "--lookback", "6",
        "--set", "fit.max_epochs=20", "--set", "fit.learning_rate=0.01", "--out", folder / "pick" / "model",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return folder


def explain(kept, *arguments, model="pick/model", data="y.csv"):
    return run_zoo_here("explain", kept / model, kept / data, *arguments)


def test_the_answer_comes_first(kept, tmp_path):
    ended = explain(kept, "--each-lag", "--windows", "60", "--out", tmp_path / "why")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("c2 at lag 3 matters most to lstm: ")
    assert "Integrated gradients agree" in ended.stdout
    assert ended.stdout.splitlines()[-1] == str(tmp_path / "why" / "importance.png")
    assert "note: attention left out: this variant has no attention over the steps of a window" in ended.stderr
    frame = pd.read_csv(tmp_path / "why" / "importance.csv")
    best = frame[frame["first_lag"] == frame["last_lag"]].nlargest(1, "increase").iloc[0]
    assert (best["channel"], best["first_lag"]) == ("c2", 3)
    rise, base = best["increase"], best["error"]
    assert f"from {base:.4g} by {100 * rise / base:+.1f} %" in lines[0]


def test_json_is_what_python_returns(kept):
    ended = explain(kept, "--method", "permutation,gates", "--windows", "50", "--seed", "4", "--json")
    assert ended.returncode == 0, ended.stderr
    fields = json.loads(ended.stdout)
    own = zoo.explain(
        zoo.load_model(kept / "pick" / "model"), kept / "y.csv", methods=["permutation", "gates"], windows=50, seed=4
    )
    assert fields["answer"] == str(own).splitlines() and fields["part"] == "test" and fields["windows"] == 50
    assert [row["increase"] for row in fields["importance"]] == list(own.frames["importance"]["increase"])
    assert "attributions" not in fields and len(fields["gates"]) == 6


def test_the_folder_of_select_will_do(kept):
    ended = explain(kept, "--method", "gates", "--windows", "5", model="pick")
    assert ended.returncode == 0 and "forget gate" in ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ([], r"no model in .*: model.json is missing"),
        (["--method", "shap"], r"unknown method 'shap' \(known: permutation, integrated-gradients, attention, gates\)"),
        (["--method", "attention"], "no attention over the steps of a window"),
        (["--part", "tset"], "unknown part 'tset'; did you mean 'test'"),
        (["--windows", "1"], "windows must be a whole number >= 2, got 1"),
        (["--repeats", "0"], "repeats must be a whole number >= 2, got 0"),
        (["--seed", "-1"], "seed must be a whole number >= 0, got -1"),
        (["--out", "{kept}"], "exists and is not empty: choose another --out"),
    ],
)
def test_a_bad_request_is_one_line_and_writes_nothing(kept, tmp_path, arguments, rule):
    before = sorted(kept.rglob("*"))
    given = [argument.format(kept=kept) for argument in arguments]
    out = [] if "--out" in given else ["--out", tmp_path / "why"]
    ended = explain(kept, *given, *out, model="pick/model" if arguments else "nowhere")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
    assert ended.stderr.startswith("zoo: ") and re.search(rule, ended.stderr), ended.stderr
    assert sorted(kept.rglob("*")) == before and not list(tmp_path.iterdir())


def test_data_without_the_channels_names_the_one_that_is_missing(kept, tmp_path):
    three_channels().drop(columns="c2").to_csv(tmp_path / "less.csv", index=False)
    ended = run_zoo_here("explain", kept / "pick" / "model", tmp_path / "less.csv")
    assert ended.returncode == 2 and "unknown column 'c2' of" in ended.stderr


def test_python_takes_a_model_with_its_data_or_a_saved_one_with_a_table(data, prices):
    model = zoo.create("lstm", data.problem)
    with pytest.raises(zoo.InputError, match="data must be what zoo.prepare returns"):
        zoo.explain(model, prices)
    with pytest.raises(zoo.InputError, match="model must be what zoo.create or zoo.load_model returns"):
        zoo.explain("model", data)
    with pytest.raises(zoo.InputError, match="methods must be a list of names"):
        zoo.explain(model, data, methods="gates")
    other = zoo.prepare(prices, targets="close", lookback=3)
    with pytest.raises(zoo.InputError, match="of another problem than the model: lookback 3"):
        zoo.explain(model, other)
    explained = zoo.explain(model, data, part="all", windows=10, methods=["permutation"], repeats=2)
    assert (explained.part, explained.available, explained.name) == ("all", 293, "LSTM")
