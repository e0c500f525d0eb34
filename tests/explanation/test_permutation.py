"""Permutation importance against arithmetic."""

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from tests.cases import made_cases
from tests.explanation.truths import three_channels
from zoo.data.windows import columns
from zoo.explanation.permutation import EVERYTHING, LEVEL
from zoo.explanation.seen import seen_of


class Weighted(nn.Module):
    """y = 2 c2 at lag 3 - c1 at lag 1, exactly."""

    def __init__(self, _: zoo.Problem) -> None:
        super().__init__()
        self.zero = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return (2 * x[:, -3, 2] - x[:, -1, 1] + self.zero)[:, None, None]


@pytest.fixture
def model_and_data():
    zoo.register("weighted", summary="a test", source="a test")(Weighted)
    frame = three_channels(rows=400)
    frame["y"] = 2 * frame["c2"].shift(3).fillna(0) - frame["c1"].shift(1).fillna(0)
    data = zoo.prepare(frame, targets="y", lookback=5, normalise="none", scaler="none")
    return zoo.create("weighted", data.problem), data


def test_the_rise_is_that_of_the_exchanged_values(model_and_data):
    """An exact model has no error; with values of other windows it errs by weight times their distance."""
    model, data = model_and_data
    importance = zoo.explain(model, data, methods=["permutation"], each_lag=True, seed=3, repeats=4).importance
    assert importance.base < 1e-5
    x = torch.cat([x for x, _ in data.test.batches(1000)])
    generator = torch.Generator().manual_seed(3)
    for repeat in range(4):
        order = torch.randperm(len(x), generator=generator)
        for c, lag, weight in ((2, 3, 2.0), (1, 1, 1.0)):
            distance = weight * (x[order, -lag, c] - x[:, -lag, c])
            expected = float(distance.square().mean().sqrt())
            assert importance.increases_RCG[repeat, c, lag - 1] == pytest.approx(expected, rel=1e-4)
            assert importance.channels_RC[repeat, c] == pytest.approx(expected, rel=1e-4)
    used = np.zeros((4, 5), bool)
    used[2, 2] = used[1, 0] = True
    assert not importance.increases_RCG[:, ~used].any() and importance.increases_RCG[:, used].all()
    assert (importance.is_clear_CG == used).all() and importance.level_R is None


def test_a_frame_has_a_row_for_each_thing_that_was_shuffled(model_and_data):
    model, data = model_and_data
    explained = zoo.explain(model, data, methods=["permutation"])
    frame = explained.frames["importance"]
    assert list(frame.columns) == ["channel", "first_lag", "last_lag", "error", "increase", "deviation", "low", "high"]
    assert len(frame) == 4 * (4 + 1) + 1  # lags 1, 2, 3-4, 5, and all of them
    assert list(frame["channel"][-1:]) == [EVERYTHING]
    values = explained.importance.increases_RCG[:, 2, 2]
    row = frame[(frame["channel"] == "c2") & (frame["first_lag"] == 3)].iloc[0]
    assert row["increase"] == pytest.approx(values.mean())
    # 2.776: Student's t with 4 degrees of freedom, 97.5 %.
    assert row["high"] - row["increase"] == pytest.approx(2.776 * values.std(ddof=1) / 5**0.5, rel=1e-3)


def test_seeds_repeat_and_differ(model_and_data):
    model, data = model_and_data
    one, again, other = (
        zoo.explain(model, data, methods=["permutation"], seed=seed).importance.map_CG for seed in (0, 0, 1)
    )
    assert (one == again).all() and (one != other).any()


def test_naive_forecasts_by_its_level_alone(prices):
    data = zoo.prepare(prices, targets="close", lookback=4)
    explained = zoo.explain(zoo.create("naive", data.problem), data)
    importance = explained.importance
    assert not importance.increases_RCG.any() and not importance.everything_R.any()
    # The level of another window in place of its own: the arithmetic of naive.
    close = prices["close"].to_numpy()
    last, actual = close[239:299], close[240:300]
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0)).numpy()
    rise = np.sqrt(np.mean((last[order] - actual) ** 2)) - np.sqrt(np.mean((last - actual) ** 2))
    assert importance.level_R[0] == pytest.approx(rise, rel=1e-4)
    assert explained.frames["importance"]["channel"].iloc[-1] == LEVEL
    assert str(explained).startswith("No single input clearly matters to Naive")
    assert "Integrated gradients are zero everywhere" in str(explained)


@pytest.mark.parametrize(
    ("how", "error"),
    [({"quantiles": (0.1, 0.5, 0.9)}, "crps"), ({"direction": True}, "brier"), ({"horizon": 3}, "rmse")],
)
def test_each_task_has_its_error(prices, how, error):
    data = zoo.prepare(prices, targets=["close", "open"], lookback=4, **how)
    model = zoo.create("lstm", data.problem, seed=0)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=3), seed=0)
    explained = zoo.explain(model, data, windows=40)
    naive = zoo.create("naive", data.problem)
    zoo.fit(naive, data.train, data.valid, zoo.FitConfig(), seed=0)
    whole = zoo.explain(model, data, methods=["permutation"]).importance
    assert whole.error == error and whole.base == pytest.approx(zoo.evaluate(model, data.test, naive=naive)[error])
    assert (whole.level_R is None) == (error == "brier")
    assert set(explained.frames["attributions"]["target"]) == {"close", "open"}
    assert explained.attributions.gap < 0.01
    assert explained.attributions.unit == ("log-odds" if error == "brier" else "scaled units")


def test_classes_are_explained_by_the_channel_that_tells_them_apart():
    data = zoo.prepare(made_cases(120))
    model = zoo.create("gru", data.problem, seed=0)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=20, learning_rate=0.01), seed=0)
    explained = zoo.explain(model, data)
    importance, attributions = explained.importance, explained.attributions
    assert importance.error == "log_loss" and importance.base == pytest.approx(
        zoo.evaluate(model, data.test)["log_loss"], rel=1e-5
    )
    assert importance.channels_RC.mean(axis=0).argmax() == 0  # the slope of the first channel is the class
    assert attributions.map_CG(explained.groups).sum(axis=1).argmax() == 0
    naive = zoo.create("naive", data.problem)
    zoo.fit(naive, data.train, data.valid, zoo.FitConfig(), seed=0)
    with pytest.raises(zoo.InputError, match="looks at no input"):
        zoo.explain(naive, data)
    uneven = zoo.prepare(made_cases(60, steps=(10, 16)))
    with pytest.raises(zoo.InputError, match="a lag must be the same step of every case, .* 1[0-6] to 16 steps"):
        zoo.explain(zoo.create("gru", uneven.problem), uneven)


def test_what_is_restored_stays_the_window_s_own(prices):
    """Whatever the variant sees, the last value comes back: shuffling its inputs moves no forecast by the level."""
    data = zoo.prepare(prices, targets="close", lookback=4)
    model = zoo.create("linear", data.problem, seed=0)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=5), seed=0)
    seen = seen_of(model, data.test)
    assert not seen.inputs[:, -1].any()
    last = columns(seen.x[:, -1:], data.problem.targets)
    assert torch.equal(seen.forecasts(torch.zeros_like(seen.inputs)), last + model.variant(torch.zeros(1, 4, 5)))
    assert torch.equal(seen.forecasts(seen.inputs), model(seen.x))
