import optuna
import pytest

import zoo
from zoo.space import Choice, Float, Int, Parameter
from zoo.tuning.search import StudySettings, applicable, known_keys, range_of, search_for


def search(data, name="lstm", *, fix=None, ranges=None, params=None, config=None):
    given = {"params": params, "config": config, "fix": fix, "ranges": ranges}
    return search_for(name, data, StudySettings(**{key: value for key, value in given.items() if value is not None}))


def test_space_is_read_off_both_signatures(data):
    ranges = search(data).ranges
    assert ranges["hidden_size"] == Int(16, 256, log=True)
    assert ranges["fit.learning_rate"] == Float(1e-4, 1e-2, log=True)
    assert set(ranges) == {"hidden_size", "dropout"} | {
        f"fit.{name}" for name in ("batch_size", "learning_rate", "weight_decay", "optimizer", "schedule")
    }


def test_what_learns_nothing_is_searched_without_training_settings(data):
    assert set(search(data, "moving-average").ranges) == {"window"}
    assert search(data, "naive").ranges == {}


@pytest.mark.parametrize("name", zoo.list_models())
def test_suggestions_lie_in_the_ranges_and_build(name, data):
    space = search(data, name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    space.suggest(trial)
    point = space.point_of(trial)
    assert set(trial.params) == set(space.ranges)
    zoo.create(name, data.problem, **point.params)
    zoo.FitConfig.of(point.fit)
    assert point.lookback == data.problem.lookback


def test_values_are_drawn_in_steps(data):
    space = search(data, ranges={"hidden_size": Int(8, 64, step=8)}, params={"hidden_size": 30})
    assert space.base["hidden_size"] == 32 and space.grid()["hidden_size"] == [8, 24, 40, 48, 64]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        space.suggest(trial)
        assert trial.params["hidden_size"] % 8 == 0
    assert space.plain_ranges()["hidden_size"] == {"low": 8, "high": 64, "log": False, "step": 8}
    assert "step" not in search(data).plain_ranges()["hidden_size"]  # as in studies older than steps


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("32:64", Int(32, 64, step=16)),
        ("32:64:8", Int(32, 64, step=8)),
        ("33:65:1", Int(33, 65)),
        ("32:64:log", Int(32, 64, log=True)),
    ],
)
def test_a_range_keeps_the_step_of_the_signature_unless_it_has_its_own(text, expected):
    parameter = Parameter("size", (int,), 32, Int(16, 256, step=16))
    assert range_of(text, parameter, "size") == expected
    with pytest.raises(zoo.InputError, match="range of size: steps of 16 from 32 do not meet 70; the last one is 64"):
        range_of("32:70", parameter, "size")


def test_start_runs_the_defaults_themselves_also_outside_their_ranges(data):
    space = search(data, params={"hidden_size": 20})
    study = optuna.create_study()
    study.enqueue_trial(*space.start())
    trial = study.ask()
    space.suggest(trial)
    assert trial.params["fit.weight_decay"] == 1e-6  # as near as its log range allows
    point = space.point_of(trial)
    assert point.fit["weight_decay"] == 0.0
    assert point.params == {"hidden_size": 20, "dropout": 0.0}


def test_start_is_brought_into_a_range_that_was_given(data):
    space = search(data, ranges={"hidden_size": "100:200", "fit.optimizer": "adamw,sgd"})
    assert space.base["hidden_size"] == 100
    assert space.base["fit.optimizer"] == "adamw"


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("hidden_size", "32:512:log", Int(32, 512, log=True)),
        ("hidden_size", "32,64", Choice(32, 64)),
        ("hidden_size", [32, 64], Choice(32, 64)),
        ("hidden_size", Int(8, 16), Int(8, 16)),
        ("dropout", "0:0.3", Float(0.0, 0.3)),
        ("fit.batch_size", "16:64", Int(16, 64)),
        ("fit.learning_rate", "1e-5:1e-3:log", Float(1e-5, 1e-3, log=True)),
        ("fit.optimizer", "adam,sgd", Choice("adam", "sgd")),
        ("lookback", "7:60", Int(7, 60)),
    ],
)
def test_ranges_are_read_from_text_lists_and_values(key, given, expected):
    assert range_of(given, known_keys("lstm")[key], key) == expected


def test_fixed_parameters_and_single_values_are_not_searched(data):
    space = search(data, fix={"hidden_size": 48, "learning_rate": 0.002}, ranges={"dropout": "0.2:0.2"})
    assert not {"hidden_size", "fit.learning_rate", "dropout"} & set(space.ranges)
    point = space.point({})
    assert point.params == {"hidden_size": 48, "dropout": 0.2}
    assert point.fit["learning_rate"] == 0.002


def test_given_range_may_leave_the_declared_one(data):
    assert search(data, ranges={"hidden_size": "2:4"}).ranges["hidden_size"] == Int(2, 4)


@pytest.mark.parametrize(
    ("fix", "ranges", "message"),
    [
        ({"hiden_size": 8}, {}, "unknown parameter 'hiden_size' of variant 'lstm'; did you mean 'hidden_size'"),
        ({}, {"fit.lerning_rate": "1:2"}, "did you mean 'fit.learning_rate'"),
        ({"hidden_size": 1.5}, {}, "fix hidden_size: hidden_size must be a whole number, got 1.5"),
        ({}, {"hidden_size": "64:32"}, "range of hidden_size is empty: low must be <= high, got 64:32"),
        ({}, {"hidden_size": ","}, "range of hidden_size is empty"),
        ({}, {"hidden_size": "a:b"}, "low and high must be numbers, got 'a:b'"),
        ({}, {"hidden_size": "1.5:3"}, "hidden_size must be a whole number, got 1.5"),
        ({}, {"hidden_size": "8:16:lin"}, ":log, :linear or a whole step may follow low:high, got '8:16:lin'"),
        ({}, {"dropout": "0:0.5:log"}, "a log scale needs low > 0, got 0"),
        ({}, {"fit.optimizer": "adam,adagrad"}, "fit.optimizer"),
        ({}, {"fit.learning_rate": "-1:1"}, "learning_rate must be > 0, got -1.0"),
        ({}, {"hidden_size": "0:8"}, "variant 'lstm' cannot be built with hidden_size=0"),
        ({}, {"fit.max_epochs": "5:50"}, "is the training budget, the same for every trial"),
        ({}, {"fit.loss": "mse,mae"}, "trials are compared by fit.loss"),
        ({"seed": 3}, {}, "'seed': the random seed is never a hyperparameter"),
        ({}, {"seed": "0:9"}, "'seed': the random seed is never a hyperparameter"),
        ({"hidden_size": 8}, {"hidden_size": "8:16"}, "is both fixed and given a range"),
        ({}, {"lookback": "7:5000"}, "too few rows"),
    ],
)
def test_what_cannot_be_searched_is_refused(fix, ranges, message, data):
    with pytest.raises(zoo.InputError) as error:
        search(data, fix=fix, ranges=ranges)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_corner_that_cannot_be_built_is_refused(data):
    with pytest.raises(zoo.InputError, match=r"proj_size must be from 1 to hidden_size - 1 = 31, got 100"):
        search(data, "proj-lstm", fix={"proj_size": 100})
    assert search(data, "proj-lstm", fix={"proj_size": 100, "hidden_size": 128}).base["proj_size"] == 100


def test_keys_go_to_the_variants_that_take_them():
    names = ["lstm", "cnn-lstm", "ridge"]
    keys = {"hidden_size": 8, "cnn-lstm.kernel_size": 3, "fit.max_epochs": 5, "penalty": 0.1}
    assert applicable(keys, "lstm", names) == {"hidden_size": 8, "fit.max_epochs": 5}
    assert applicable(keys, "cnn-lstm", names) == {"hidden_size": 8, "kernel_size": 3, "fit.max_epochs": 5}
    assert applicable(keys, "ridge", names) == {"penalty": 0.1, "fit.max_epochs": 5}
    assert applicable({"learning_rate": 1, "fit.learning_rate": 2}, "lstm", names) == {"fit.learning_rate": 2}
    with pytest.raises(LookupError, match="unknown parameter 'num_layers'"):
        applicable({"num_layers": 2}, "lstm", names)
    with pytest.raises(LookupError, match="unknown variant 'ltsm'; did you mean 'lstm'"):
        applicable({"ltsm.hidden_size": 2}, "lstm", names)
    with pytest.raises(LookupError, match="unknown parameter 'kernl_size' of variant 'cnn-lstm'; did you mean"):
        applicable({"cnn-lstm.kernl_size": 2}, "lstm", names)
    with pytest.raises(zoo.InputError, match="'bilstm.hidden_size' belongs to a variant that is not tuned here"):
        applicable({"bilstm.hidden_size": 2}, "lstm", names)


def test_what_learns_nothing_is_not_searched_by_what_it_ignores(data):
    ranges = {"fit.learning_rate": "1e-4:1e-2", "lookback": "5:9"}
    assert search(data, "naive", ranges=ranges).ranges == {}
    assert set(search(data, "moving-average", ranges=ranges).ranges) == {"window", "lookback"}


def test_none_may_be_given_where_it_is_a_value(data):
    assert search(data, "ridge", fix={"penalty": "none"}).base["penalty"] is None
    assert search(data, fix={"schedule": "none"}).base["fit.schedule"] == "none"


def test_variant_may_make_its_ranges_from_the_problem(data, monkeypatch):
    from zoo.models.persistence import SeasonalNaive

    monkeypatch.setattr(
        SeasonalNaive, "space", staticmethod(lambda problem: {"period": Int(1, problem.lookback)}), raising=False
    )
    assert search(data, "seasonal-naive").ranges == {"period": Int(1, 7)}
