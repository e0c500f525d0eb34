from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from zoo import registry
from zoo.benchmark import is_benchmark
from zoo.cli.options import suite_from
from zoo.data.builtin import BUILT_IN
from zoo.data.case_sets import CASE_SETS
from zoo.suite import chosen_models, expand, read_suite

SUITES = sorted((Path(__file__).parents[1] / "benchmarks" / "suites").glob("*.toml"))
BASE = """
name = "mine"
[data]
source = "prices.csv"
targets = ["close"]
[run]
models = ["naive", "lstm", "ridge"]
seeds = 2
"""


@pytest.fixture
def suite(prices_csv):
    def write(text):
        path = prices_csv.parent / "suite.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    "path",
    [path for path in SUITES if not path.stem.startswith("speed") and not is_benchmark(path)],
    ids=lambda path: path.stem,
)
def test_shipped_suites_expand(path):
    read = read_suite(path)
    if read.data.source in CASE_SETS:
        if find_spec("aeon") is None:
            pytest.skip("the files are aeon's")
    elif BUILT_IN[read.data.source].attainable is None:
        pytest.importorskip("arch")
    cells, _ = expand(read, device="cpu")
    assert read.name == path.stem
    baselines = {cell.variant for cell in cells if "baseline" in cell.tags}
    assert "naive" in baselines
    if path.stem != "smoke":
        assert max(cell.seed for cell in cells) >= 2


def test_cells_run_over_seeds_and_what_is_not_random_once(suite):
    cells, _ = expand(read_suite(suite(BASE)))
    assert [(cell.variant, cell.seed) for cell in cells] == [("naive", 0), ("lstm", 0), ("ridge", 0), ("lstm", 1)]
    assert len({cell.key for cell in cells}) == 4


class Reservoir(nn.Module):
    """Its weights are drawn, and nothing trains them."""

    def __init__(self, problem):
        super().__init__()
        self.problem = problem
        self.register_buffer("drawn", torch.randn(problem.channels))

    def forward(self, x):
        return (x[:, -1] * self.drawn).mean(1)[:, None, None].expand(-1, *self.problem.output_shape)


class Solved(Reservoir):
    """Its weights are computed from the data, and start at zero."""

    def __init__(self, problem):
        super().__init__(problem)
        self.drawn = nn.Parameter(torch.zeros(problem.channels))

    def solve(self, train, valid):
        pass


class Trained(Solved):
    solve = None


@pytest.mark.parametrize(
    ("build", "tags", "is_trained", "seeds"),
    [
        (Reservoir, (), False, [0, 1]),
        (Solved, (), False, [0]),
        (Trained, (), True, [0, 1]),
        (Trained, ("deterministic",), True, [0, 1]),  # a wrong tag changes nothing
    ],
)
def test_a_built_model_decides_whether_it_is_trained_and_over_seeds(suite, build, tags, is_trained, seeds):
    registry.register("mine", summary="", source="", tags=tags)(build)
    cells, _ = expand(read_suite(suite(BASE.replace('"ridge"', '"mine"'))))
    own = [cell for cell in cells if cell.variant == "mine"]
    assert [cell.seed for cell in own] == seeds
    assert all((cell.fit is not None) is is_trained for cell in own)


def test_key_is_of_what_was_asked_and_of_nothing_else(suite, prices_csv):
    def keys(text):
        return {cell.variant: cell.key for cell in expand(read_suite(suite(text)))[0] if cell.seed == 0}

    base = keys(BASE)
    copy = prices_csv.with_name("copy.csv")
    copy.write_bytes(prices_csv.read_bytes())
    assert keys(BASE.replace('"mine"', '"yours"').replace("prices.csv", "copy.csv")) == base
    assert keys(BASE.replace('"close"', '"CLOSE"')) == base
    assert keys(BASE + "[models.lstm]\nhidden_size = 64") == base
    changed = keys(BASE + "[models.lstm]\nhidden_size = 32")
    assert {name for name in base if changed[name] != base[name]} == {"lstm"}
    changed = keys(BASE + "[fit]\nmax_epochs = 7")
    assert {name for name in base if changed[name] != base[name]} == {"lstm"}
    for section in ("lookback = 8", "horizon = 2", "scaler = 'none'", "normalise = 'none'", "split = [200, 40, 60]"):
        changed = keys(BASE + f"[problem]\n{section}")
        assert all(changed[name] != base[name] for name in base), section


def test_command_line_changes_come_over_the_file(suite):
    changes = {"data": {"targets": ["high"]}, "problem": {"lookback": 9, "horizon": None}, "run": {"seeds": 1}}
    changed = suite_from(str(suite(BASE)), changes, ["lstm.hidden_size=32", "fit.learning_rate=0.01"])
    cells, _ = expand(changed)
    lstm = next(cell for cell in cells if cell.variant == "lstm")
    assert lstm.problem.lookback == 9
    assert lstm.problem.targets == ("high",)
    assert (lstm.params["hidden_size"], lstm.fit["learning_rate"], len(cells)) == (32, 0.01, 3)


@pytest.mark.parametrize(
    ("lookback", "settings", "period"), [(7, "", 5), (4, "", None), (7, "[models.seasonal-naive]\nperiod = 2", 2)]
)
def test_seasonal_naive_repeats_the_season_of_the_spacing(suite, lookback, settings, period):
    text = BASE.replace('"ridge"', '"seasonal-naive"') + f"[problem]\nlookback = {lookback}\n{settings}"
    cells, data = expand(read_suite(suite(text)))
    assert next(cell for cell in cells if cell.variant == "seasonal-naive").params["period"] == period
    assert any("suggests a season of 5 steps" in note for note in data.notes) == (lookback < 5)


def test_a_run_on_built_in_data_has_a_folder_of_its_own_beside_the_committed_results():
    changes = {"data": {"targets": ["Close"]}, "problem": {}, "run": {}}
    assert suite_from("sp500", changes, []).name == "my-sp500"


def test_fewer_models_on_the_command_line_need_fewer_settings(suite):
    path = suite(BASE + "[models.lstm]\nhidden_size = 32")
    changes = {"data": {}, "problem": {}, "run": {"models": ["naive"]}}
    assert [cell.variant for cell in expand(suite_from(str(path), changes, []))[0]] == ["naive"]


def test_models_may_be_chosen_by_tag(suite):
    read = read_suite(suite(BASE.replace('models = ["naive", "lstm", "ridge"]', 'tags = ["baseline", "attention"]')))
    assert chosen_models(read.run) == [*zoo.list_models(tag="baseline"), *zoo.list_models(tag="attention")]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("name = ", "not well-formed TOML"),
        (BASE.replace("[run]", "[rum]"), r"unknown key 'rum'; did you mean 'run'"),
        (BASE.replace("seeds", "seed"), r"unknown key 'run.seed'; did you mean 'seeds'"),
        (BASE.replace('targets = ["close"]', ""), "name at least one target column of .*prices.csv"),
        (BASE.replace('targets = ["close"]', "targets = []"), "name at least one target column of .*prices.csv"),
        (BASE.replace("seeds = 2", 'seeds = "two"'), "run.seeds must be a whole number or a list, got 'two'"),
        (BASE.replace("seeds = 2", f"seeds = {10**20}"), "run.seeds"),
        (BASE.replace("seeds = 2", "seeds = 0"), "run.seeds must be a count >= 1"),
        (BASE.replace("seeds = 2", "seeds = [1, 1]"), "list of different seeds"),
        (BASE.replace('"ridge"', '"rigde"'), "unknown variant 'rigde'; did you mean 'ridge'"),
        (BASE + "[models.ltsm]\nhidden_size = 1", "unknown variant 'ltsm'; did you mean 'lstm'"),
        (BASE + "[models.bilstm]\nhidden_size = 1", "does not name"),
        (BASE + "[models.lstm]\nhidden = 1", "unknown parameter 'hidden' of variant 'lstm'"),
        (BASE + "[models.lstm]\nhidden_size = 0", "variant 'lstm' cannot be built"),
        (BASE + "[models.lstm]\ndropout = nan", "dropout must be a finite number, got nan"),
        (BASE.replace('"ridge"', '"cnn-lstm"') + "[models.cnn-lstm]\nkernel_size = 0", "kernel_size must be >= 1"),
        (BASE + "[fit]\nepochs = 5", "unknown parameter 'epochs' of fit"),
        (BASE + "[fit]\nmax_epochs = 1.5", "fit: max_epochs must be a whole number, got 1.5"),
        (BASE + "[problem]\nlookback = 0", "lookback must be a whole number >= 1"),
        (BASE + "[problem]\nsplit = [0.8, 0.2, 0]", "leaves no test rows"),
        (BASE + 'tags = ["baseline"]', "models or tags, not both"),
        (BASE.replace("prices.csv", "absent.csv"), "no such file: .*absent.csv"),
        (BASE.replace('"mine"', '"../mine"'), "name must be one word of letters, .* got '../mine'"),
    ],
)  # fmt: skip
def test_wrong_suite_is_refused_with_key_and_rule(suite, text, rule):
    with pytest.raises(zoo.InputError, match=rule) as caught:
        expand(read_suite(suite(text)))
    assert "\n" not in str(caught.value)


def test_absent_suite_is_named(tmp_path):
    with pytest.raises(zoo.InputError, match="no such suite file: .*x.toml"):
        read_suite(tmp_path / "x.toml")


def test_dotted_source_is_the_file_and_not_the_built_in(prices_csv, monkeypatch):
    monkeypatch.chdir(prices_csv.parent)
    prices_csv.rename("sine")
    Path("s.toml").write_text(BASE.replace("prices.csv", "./sine"))
    assert expand(read_suite(Path("s.toml")))[1].rows == 300


def test_all_models_on_the_command_line_keep_their_settings(suite):
    path = suite(BASE + "[models.lstm]\nhidden_size = 32")
    changes = {"data": {}, "problem": {}, "run": {"models": ["all"], "seeds": 1}}
    cells, _ = expand(suite_from(str(path), changes, []))
    assert next(cell for cell in cells if cell.variant == "lstm").params["hidden_size"] == 32
    assert len(cells) == len(zoo.list_models())
