"""Generated series follow their equations, and what is random in them has the declared size."""

import numpy as np
import pytest

from zoo.data import generated
from zoo.data.builtin import BUILT_IN


def test_each_is_always_the_same():
    for make in (generated.narma, generated.adding, generated.regimes, generated.mackey_glass):
        assert make().equals(make())


@pytest.mark.parametrize("name", [name for name, entry in BUILT_IN.items() if entry.attainable is not None])
def test_attainable_errors_name_a_column(name):
    column, least = BUILT_IN[name].attainable
    assert column in BUILT_IN[name].read() and least >= 0


def test_what_narma_leaves_unexplained_is_its_noise():
    drive, value = generated.narma().to_numpy().T
    recent = np.convolve(value, np.ones(10))[9 : len(value) - 1]  # sums of ten, the first of values 0 to 9
    now, oldest = value[9:-1], drive[: len(value) - 10]
    forecast = 0.3 * now + 0.05 * now * recent + 1.5 * oldest * drive[9:-1] + 0.1
    assert np.std(value[10:] - forecast) == pytest.approx(0.01, rel=0.05)


def test_a_mackey_glass_series_solves_its_equation():
    value = generated.mackey_glass()["value"].to_numpy()
    now = np.arange(18, len(value) - 1)
    slope = (value[now + 1] - value[now - 1]) / 2  # central differences
    before = value[now - 17]
    assert np.abs(slope - (0.2 * before / (1 + before**10) - 0.1 * value[now])).max() < 0.01
    assert value.std() > 0.2  # chaotic: it does not settle


def test_the_sum_of_the_adding_problem_follows_from_what_was_marked_before():
    frame = generated.adding()
    marked = frame["value"].where(frame["marked"] == 1).dropna()
    for t in (500, 1234, 2999):
        before = marked[marked.index < t].iloc[-2:]
        assert frame["sum"][t] == pytest.approx(before.sum())
    assert 0.23 < frame["marked"].mean() < 0.27


def test_regimes_have_unit_noise_around_one_of_two_coefficients():
    value = generated.regimes()["value"].to_numpy()
    errors = np.stack([value[1:] - coefficient * value[:-1] for coefficient in (0.9, -0.7)])
    near = np.take_along_axis(errors, np.abs(errors).argmin(0)[None], 0)[0]
    assert near.std() < 1.0 < min(errors.std(axis=1))


def test_a_random_walk_has_unit_steps():
    assert np.diff(generated.random_walk()["value"]).std() == pytest.approx(1.0, rel=0.05)


def test_the_noise_of_the_sine_has_its_deviation():
    value = generated.sine()["value"].to_numpy()
    assert np.std(value - np.sin(2 * np.pi * np.arange(2000) / 25)) == pytest.approx(0.1, rel=0.05)
