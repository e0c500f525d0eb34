"""How often intervals of skill hold, naive is beaten by mere chance, and the best model stays in the best set.

    python benchmarks/power.py

The actual values are a random walk, steady or with bursts of volatility (GARCH). The errors of a model are a mix of
naive's own errors and of other walks, one of them shared by all models and one new for each of its three seeds, so
that neighbouring windows share all steps but one, as real ones do. Twelve models as good as naive, whose true skill is
zero, stand in each simulated table. Prints for several sizes the share of 400 simulations in which

- coverage: the 95 % interval of a model's skill contains the true one (should be 0.93 or more);
- false alarms: the interval of any model, at the level of its table, lies above zero (should be 0.05 or less);
- best set: all of naive and its twelve equals stay in the 95 % model confidence set (should be about 0.95);
- power: the interval of a model with a skill of 5 % lies above zero at the level of the table.
"""

import numpy as np

from zoo.stats.best_set import best_set_p
from zoo.stats.intervals import skill_interval, table_level

SIMULATIONS, MODELS, SEEDS, BETTER = 400, 12, 3, 0.95
SIZES = [(windows, horizon) for horizon in (1, 12, 24) for windows in (300, 1000)]
OWN, SHARED, SEED = 0.9, 0.36, 0.2458  # shares of naive's, the shared and a seed's errors; their squares sum to 1


def volatility(random: np.random.Generator, steps: int, is_bursty: bool) -> np.ndarray:
    """[steps] standard deviations of the steps: 1, or those of a GARCH(1, 1) process."""
    variances = np.ones(steps)
    for step in range(1, steps if is_bursty else 0):
        before = variances[step - 1]
        variances[step] = 0.02 + 0.08 * before * random.standard_normal() ** 2 + 0.9 * before
    return np.sqrt(variances)


def walk(random: np.random.Generator, deviations: np.ndarray, horizon: int) -> np.ndarray:
    """[windows, horizon]: where a random walk goes after each window."""
    total = np.concatenate([[0.0], np.cumsum(deviations * random.standard_normal(len(deviations)))])
    windows = len(deviations) - horizon
    return total[np.arange(windows)[:, None] + np.arange(1, horizon + 1)] - total[:windows, None]


def table(number: int, windows: int, horizon: int, is_bursty: bool) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors of naive [n] and of its equals [models, S, n] in one simulation."""
    random = np.random.default_rng(number)
    deviations = volatility(random, windows + horizon, is_bursty)
    naive, shared = (walk(random, deviations, horizon) for _ in range(2))
    errors = [
        [OWN * naive + SHARED * shared + SEED * walk(random, deviations, horizon) for _ in range(SEEDS)]
        for _ in range(MODELS)
    ]
    return (naive**2).mean(axis=1), (np.array(errors) ** 2).mean(axis=3)


def main() -> None:
    """Print the four shares for each size."""
    for is_bursty in (False, True):
        for windows, horizon in SIZES:
            covered = alarms = whole = powers = 0.0
            for number in range(SIMULATIONS):
                naive, models = table(number, windows, horizon, is_bursty)
                plain = [skill_interval(own, naive, horizon=horizon) for own in models]
                wide = [skill_interval(own, naive, horizon=horizon, level=table_level(MODELS)) for own in models]
                better = skill_interval(BETTER**2 * models[0], naive, horizon=horizon, level=table_level(MODELS))
                p_values = best_set_p([naive[None], *models], horizon=horizon)
                # No interval claims nothing: it covers, and it raises no alarm.
                covered += sum(ends is None or ends[0] <= 0 <= ends[1] for ends in plain) / MODELS
                alarms += any(ends is not None and ends[0] > 0 for ends in wide)
                powers += better is not None and better[0] > 0
                whole += p_values is not None and min(p_values) >= 0.05
            shares = {"coverage": covered, "false alarms": alarms, "best set": whole, "power": powers}
            texts = ", ".join(f"{name} {count / SIMULATIONS:.3f}" for name, count in shares.items())
            print(f"{windows} windows, horizon {horizon}{', bursts' if is_bursty else ''}: {texts}", flush=True)


if __name__ == "__main__":
    main()
