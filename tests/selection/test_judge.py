"""The simplest candidate within a standard error of the best is chosen."""

import numpy as np
import pytest

from zoo.selection.judge import chosen, ratio, standard_error

ORDER = {"naive": 0, "ridge": 2, "lstm": 4}


def losses(shifts, *, common=1.0, own=0.1, windows=400, seed=0):
    """Losses that mostly share what is hard; each has a level of its own."""
    random = np.random.default_rng(seed)
    shared = common * random.normal(size=windows) ** 2
    return {name: shared + shift + own * random.normal(size=windows) for name, shift in zip(ORDER, shifts, strict=True)}


def test_a_small_but_steady_gain_counts_since_what_is_hard_for_all_does_not():
    """The loss itself has a standard error of 0.07, the differences one of 0.007."""
    assert chosen(losses((0.05, 0.05, 0.0)), ORDER, 1) == "lstm"
    assert chosen(losses((0.05, 0.0, 0.0)), ORDER, 1) == "ridge"


def test_what_chance_explains_leaves_the_simplest():
    picks = [chosen(losses((0.0, 0.0, 0.0), seed=seed), ORDER, 1) for seed in range(40)]
    assert picks.count("naive") > 20 and picks.count("lstm") < 12


def test_less_than_half_a_percent_of_the_rmse_is_no_gain():
    every = losses((0.008, 0.02, 0.0), own=0.0)
    mean = every["lstm"].mean()
    assert 0.008 < 0.01 * mean < 0.02
    assert (
        chosen(every, ORDER, 1) == "naive"
        and chosen({name: every[name] for name in ("ridge", "lstm")}, ORDER, 1) == "lstm"
    )


def test_the_best_itself_is_chosen_where_nothing_simpler_is_near():
    every = losses((1.0, 0.5, 0.0))
    assert chosen(every, ORDER, 1) == "lstm"
    assert chosen({"naive": every["naive"]}, ORDER, 1) == "naive"


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_standard_error_is_that_of_repeated_samples(horizon):
    """Moving sums over the horizon, as overlapping windows have them: the true error of the mean, by simulation."""
    means, errors = [], []
    for seed in range(300):
        noise = np.random.default_rng(seed).normal(size=300 + horizon - 1)
        values = np.convolve(noise, np.ones(horizon), mode="valid")
        means.append(values.mean())
        errors.append(standard_error(values, horizon))
    assert np.mean(np.square(errors)) == pytest.approx(np.var(means), rel=0.35)


def test_of_equally_simple_ones_the_best_is_chosen():
    every = losses((0.01, 0.005, 0.0), own=0.001)
    assert chosen(every, dict.fromkeys(ORDER, 4), 1) == "lstm"


def test_a_few_windows_have_an_error_too():
    values = np.array([1.0, 2.0, 4.0])
    assert standard_error(values, 1) == pytest.approx(values.std(ddof=1) / np.sqrt(3))
    assert standard_error(np.array([1.0]), 1) == np.inf


def test_ratio_is_of_root_mean_squares():
    assert ratio(np.array([1.0, 3.0]), np.array([8.0])) == pytest.approx(0.5)
    assert ratio(np.ones(3), np.zeros(3)) == np.inf and ratio(np.zeros(3), np.zeros(3)) == 1
