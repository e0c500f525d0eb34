"""Augmentation changes what it says it changes, in training alone."""

import numpy as np
import pytest
import torch

import zoo
from tests.cases import made_cases
from zoo.train.augment import AUGMENTATIONS, Augment
from zoo.train.predict import validation_loss

SETTINGS = {
    "jitter": 0.5, "scaling": 0.2, "masking": 0.3, "channel_dropout": 0.5, "mixup": 0.4, "slicing": 0.3, "warping": 0.3,
}  # fmt: skip


@pytest.fixture
def marked(prices):
    """Windows with a calendar, whose marks no augmentation but mixup may change."""
    return zoo.prepare(zoo.load(prices), targets=["close"], lookback=9, horizon=2, calendar=["weekday"])


def augmented(data, **settings):
    torch.manual_seed(0)
    x, y = data.train.gather(torch.arange(len(data.train)))
    return x, y, *Augment(data.problem, data.train, zoo.FitConfig(**settings))(x, y)


def test_without_settings_a_batch_is_the_same_object(data):
    x, y, other_x, other_y = augmented(data)
    assert other_x is x and other_y is y


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "mixup"])
def test_the_last_step_and_the_calendar_stay(marked, name):
    x, _, other, _ = augmented(marked, **{name: SETTINGS[name]})
    plain = list(marked.problem.plain)
    assert len(plain) == 2 and torch.equal(x[..., plain], other[..., plain])
    torch.testing.assert_close(x[:, -1], other[:, -1], rtol=1e-6, atol=1e-6)
    assert not torch.equal(x, other)


def test_jitter_is_noise_in_units_of_the_usual_change(data):
    x, y, other, other_y = augmented(data, jitter=0.5)
    noise = (other - x)[:, :-1]
    expected = 0.5 * x.diff(dim=1).abs().mean(dim=(0, 1))
    torch.testing.assert_close(noise.std(dim=(0, 1)), expected, rtol=0.1, atol=0)
    assert torch.equal(y, other_y)


def test_the_usual_change_reads_no_later_rows(prices):
    later = prices.copy()
    later.loc[220:, ["open", "high", "low", "close"]] *= 100
    config = zoo.FitConfig(jitter=1)
    changes = []
    for frame in (prices, later):
        data = zoo.prepare(zoo.load(frame), targets=["close"], scaler="none")
        changes.append(Augment(data.problem, data.train, config).change_C)
    assert torch.equal(*changes)


def test_scaling_multiplies_the_way_to_the_last_value_and_what_follows_alike(data):
    x, y, other, other_y = augmented(data, scaling=0.2)
    target = data.problem.targets[0]
    last = x[:, -1:, target]
    factors = ((other_y - last[:, None]) / (y - last[:, None]))[:, 0, 0]
    assert factors.std() == pytest.approx(0.2, rel=0.2) and factors.mean() == pytest.approx(1, abs=0.05)
    expected = last + factors[:, None] * (x[..., target] - last)
    torch.testing.assert_close(other[..., target], expected, rtol=1e-3, atol=1e-3)


def test_masking_replaces_a_share_of_steps_by_the_mean_of_the_window(data):
    x, y, other, other_y = augmented(data, masking=0.3)
    is_masked = (other != x).all(dim=2)
    assert is_masked[:, :-1].float().mean() == pytest.approx(0.3, abs=0.05)
    mean = x.mean(dim=1, keepdim=True).expand_as(x)
    torch.testing.assert_close(other[is_masked], mean[is_masked])
    assert torch.equal(other[~is_masked], x[~is_masked]) and torch.equal(y, other_y)


def test_channel_dropout_holds_whole_channels_but_no_target(data):
    x, _, other, _ = augmented(data, channel_dropout=0.5)
    (target,) = data.problem.targets
    assert torch.equal(x[..., target], other[..., target])
    is_held = (other == x[:, -1:]).all(dim=1)
    share = is_held.float().mean(dim=0)
    others = [channel for channel in range(data.problem.channels) if channel != target]
    assert np.allclose(share[others], 0.5, atol=0.12) and share[target] == 0
    kept = ~is_held[:, None].expand_as(x)
    assert torch.equal(other[kept], x[kept])


def test_mixup_averages_pairs_of_windows_and_what_follows_by_one_weight(data):
    x, y, other, other_y = augmented(data, mixup=0.4)
    partner_x, partner_y = x.roll(1, dims=0), y.roll(1, dims=0)
    share = ((other_y - partner_y) / (y - partner_y))[:, 0, 0]
    assert share.min() >= 0 and share.max() <= 1 and share.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.2)
    expected = share[:, None, None] * x + (1 - share[:, None, None]) * partner_x
    torch.testing.assert_close(other, expected, rtol=1e-3, atol=1e-3)


def test_slicing_of_a_lookback_holds_its_oldest_step_that_is_left(data):
    x, y, other, other_y = augmented(data, slicing=0.5)
    last = x.shape[1] - 1
    cuts = (other[:, :-1] == other[:, 1:]).all(dim=2).sum(dim=1)  # steps that the next one stands for
    assert cuts.max() == int(np.ceil(0.5 * last)) and cuts.min() <= 1
    for window, (before, after, cut) in enumerate(zip(x, other, cuts, strict=True)):
        assert torch.equal(after[cut:], before[cut:]), window
        assert (after[:cut] == before[cut]).all()
    assert torch.equal(y, other_y)


def test_slicing_of_a_sequence_stretches_an_inner_part():
    data = zoo.prepare(made_cases())
    length, channels = data.problem.lookback, data.problem.channels
    ramp = torch.arange(length, dtype=torch.float32)[None, :, None].expand(200, length, channels)
    change = Augment(data.problem, data.train, zoo.FitConfig(slicing=0.5))
    torch.manual_seed(0)
    y = torch.zeros(200, 1, 2)
    other, _ = change(ramp, y)
    step = other.diff(dim=1)
    assert torch.allclose(step, step[:, :1].expand_as(step), atol=1e-4)  # stretched evenly
    assert step.min() > 0.5 - 1e-3 and step.max() <= 1 + 1e-3 and step[:, 0, 0].mean() == pytest.approx(0.75, abs=0.03)
    assert other[:, 0].min() >= 0 and other[:, -1].max() <= length - 1 + 1e-3


def test_warping_moves_steps_in_order_between_the_same_ends(data):
    length, channels = data.problem.lookback, data.problem.channels
    ramp = torch.arange(length, dtype=torch.float32)[None, :, None].expand(200, length, channels)
    torch.manual_seed(0)
    other, _ = Augment(data.problem, data.train, zoo.FitConfig(warping=0.3))(ramp, torch.zeros(200, 1, 1))
    torch.testing.assert_close(other[:, [0, -1]], ramp[:, [0, -1]])
    assert (other.diff(dim=1) > 0).all() and (other - ramp)[:, 1:-1].abs().max() > 0.2


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_training_repeats_and_validation_is_as_it_was(data, name):
    def trained(**settings):
        model = zoo.create("gru", data.problem, hidden_size=8)
        before = validation_loss(model, data.valid, zoo.FitConfig(**settings))
        history = zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=3, **settings))
        assert history.initial_valid_loss == before
        return [epoch.train_loss for epoch in history.epochs], before

    once, again, without = (trained(**settings) for settings in (SETTINGS, SETTINGS, {}))
    alone = trained(**{name: SETTINGS[name]})
    assert once == again and len({once[0][0], alone[0][0], without[0][0]}) == 3
    assert once[1] == alone[1] == without[1]


def test_directions_and_classes_are_not_scaled(prices):
    data = zoo.prepare(zoo.load(prices), targets=["close"], direction=True)
    _, y, _, other_y = augmented(data, scaling=0.5, jitter=0.5, masking=0.5, channel_dropout=0.5)
    assert torch.equal(y, other_y)
    cases = zoo.prepare(made_cases())
    _, y, x, other_y = augmented(cases, **SETTINGS)
    assert torch.isfinite(x).all() and torch.allclose(other_y.sum(dim=2), torch.ones(len(y), 1))
    assert other_y.min() >= 0 and other_y.max() <= 1 and not torch.equal(y, other_y)


@pytest.mark.parametrize("lengths", [(16, 16), (8, 16)])
def test_classifiers_learn_from_changed_cases(lengths):
    data = zoo.prepare(made_cases(steps=lengths))
    model = zoo.create("gru", data.problem, hidden_size=16)
    config = zoo.FitConfig(max_epochs=60, batch_size=16, learning_rate=1e-2, **SETTINGS)
    zoo.fit(model, data.train, data.valid, config)
    assert zoo.evaluate(model, data.test)["accuracy"] > 0.8


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_wrong_settings_are_refused(name):
    with pytest.raises(zoo.InputError, match=f"fit: {name} must be >= 0"):
        zoo.FitConfig(**{name: -0.1})
    if name in ("masking", "channel_dropout", "slicing"):
        with pytest.raises(zoo.InputError, match=f"fit: {name} must be < 1"):
            zoo.FitConfig(**{name: 1.0})
