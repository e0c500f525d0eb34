"""Generated series, each always the same, whose best forecast is known."""

import numpy as np
import pandas as pd

STEPS = 3000


def sine() -> pd.DataFrame:
    """A sine of period 25; the noise at each step, of deviation 0.1, cannot be forecast."""
    noise = np.random.default_rng(0).normal(scale=0.1, size=2000)
    return pd.DataFrame({"value": np.sin(2 * np.pi * np.arange(2000) / 25) + noise})


def random_walk() -> pd.DataFrame:
    """Unit steps from 100: the last value is the best forecast, and errs by 1."""
    return pd.DataFrame({"value": 100 + np.random.default_rng(0).normal(size=5000).cumsum()})


def narma() -> pd.DataFrame:
    """NARMA-10: a nonlinear moving average over ten steps of a random input, with noise of deviation 0.01.

    Source: Atiya & Parlos, New results on recurrent network training, IEEE TNN 11 (2000), section IV.
    """
    random = np.random.default_rng(0)
    drive, noise = random.uniform(0, 0.5, STEPS), random.normal(scale=0.01, size=STEPS)
    value = np.full(STEPS, 0.2)
    for t in range(9, STEPS - 1):
        recent = value[t - 9 : t + 1].sum()
        value[t + 1] = 0.3 * value[t] + 0.05 * value[t] * recent + 1.5 * drive[t - 9] * drive[t] + 0.1 + noise[t]
    return pd.DataFrame({"drive": drive, "value": value})


def mackey_glass() -> pd.DataFrame:
    """The Mackey-Glass equation with a delay of 17, sampled at unit steps: chaos without noise.

    Source: Mackey & Glass, Oscillation and chaos in physiological control systems, Science 197 (1977); integrated with
    ten fourth-order Runge-Kutta steps a unit, the delayed value held between them, after 500 units of warming up.
    """
    fine, delay, warm = 10, 170, 5000
    x = np.full(warm + fine * STEPS, 1.2)

    def slope(value: float, before: float) -> float:
        return 0.2 * before / (1 + before**10) - 0.1 * value

    for t in range(delay, len(x) - 1):
        before, h = x[t - delay], 1 / fine
        one = slope(x[t], before)
        two = slope(x[t] + h / 2 * one, before)
        three = slope(x[t] + h / 2 * two, before)
        x[t + 1] = x[t] + h / 6 * (one + 2 * two + 2 * three + slope(x[t] + h * three, before))
    return pd.DataFrame({"value": x[warm::fine]})


def adding() -> pd.DataFrame:
    """The adding problem as a series: the sum of the last two values that were marked, at random, one step in four.

    Nothing but memory is asked for: the next sum follows from what was marked before it. Source: Hochreiter &
    Schmidhuber, Long short-term memory, Neural computation 9 (1997), section 5.4, there with two marks a sequence.
    """
    random = np.random.default_rng(0)
    value, marked = random.uniform(size=STEPS), random.random(STEPS) < 1 / 4
    total, last = np.zeros(STEPS), [0.0, 0.0]
    for t in range(STEPS):
        total[t] = sum(last)
        if marked[t]:
            last = [last[1], value[t]]
    return pd.DataFrame({"value": value, "marked": marked.astype(float), "sum": total})


def regimes() -> pd.DataFrame:
    """An autoregression whose coefficient is 0.9 or -0.7, changing at random once in a hundred steps; noise of 1."""
    random = np.random.default_rng(0)
    noise, changes = random.normal(size=STEPS), random.random(STEPS) < 0.01
    value, coefficient = np.zeros(STEPS), 0.9
    for t in range(1, STEPS):
        coefficient = 0.2 - coefficient if changes[t] else coefficient
        value[t] = coefficient * value[t - 1] + noise[t]
    return pd.DataFrame({"value": value})
