"""Tuning over several validation parts: which rows they are, and that all of them count."""

import numpy as np
import pytest

import zoo
from zoo.data.origins import origins
from zoo.errors import InputError
from zoo.train.predict import validation_loss
from zoo.tuning.plan import plan_of
from zoo.tuning.search import StudySettings
from zoo.tuning.trial import Point, TrialRequest, run_trial

HOW = {"targets": ["close"], "lookback": 7, "split": (180, 40, 80)}


def prepared(prices, **more):
    return zoo.prepare(zoo.load(prices), **HOW, **more).without_test()


def test_validation_parts_follow_each_other_and_see_no_later_row(prices):
    data = prepared(prices)
    parts = origins(data, 4)
    rows = [part.valid.target_rows() for part in parts]
    assert [(each[0], each[-1]) for each in rows] == [(180, 219), (140, 179), (100, 139), (60, 99)]
    for part, each in zip(parts, rows, strict=True):
        assert part.train.target_rows()[-1] == each[0] - 1 and len(part.train.values) <= 220
        train = part.train.raw[: each[0]]
        np.testing.assert_allclose(part.scaler.center, train.mean(axis=0))
        np.testing.assert_allclose(part.train.units.deviation, train[:, 3:4].std(axis=0))
    assert parts[0] is data


def test_later_rows_change_no_earlier_part(prices):
    later = prices.copy()
    later.loc[later.index[140:], "close"] *= 3
    one, other = (origins(prepared(frame, calendar=["weekday"]), 4)[2] for frame in (prices, later))
    for part in ("train", "valid"):
        x, z = (next(getattr(each, part).batches(1000)) for each in (one, other))
        np.testing.assert_array_equal(x[0], z[0])
        np.testing.assert_array_equal(x[1], z[1])


def test_the_loss_of_a_trial_is_the_mean_over_its_parts(prices):
    data = prepared(prices)
    request = TrialRequest("ridge", Point({"penalty": 0.01}, {}, 7), (0,), "cpu", False, folds=3)
    losses = []
    for part in origins(data, 3):
        model = zoo.create("ridge", part.problem, penalty=0.01)
        zoo.fit(model, part.train, part.valid, zoo.FitConfig(device="cpu"))
        losses.append(validation_loss(model, part.valid, zoo.FitConfig()))
    outcome = run_trial(request, data, lambda _: True)
    assert outcome["valid_losses"] == pytest.approx(losses) and outcome["valid_loss"] == pytest.approx(np.mean(losses))


def test_a_study_of_other_folds_is_another_study(prices):
    data = prepared(prices)
    one, three = (plan_of("ridge", data, StudySettings(folds=folds, trials=2)).request() for folds in (1, 3))
    assert "folds" not in one and three == {**one, "folds": 3}


def test_too_many_folds_are_refused(prices):
    with pytest.raises(
        InputError, match="validation over 6 folds of 40 rows leaves too little to train on: too few rows"
    ):
        plan_of("ridge", prepared(prices), StudySettings(folds=6))
