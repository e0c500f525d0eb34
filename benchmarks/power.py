"""How often the Diebold-Mariano test calls two forecasters different, in simulations.

    python benchmarks/power.py

The actual values are a random walk, and the errors of each forecaster half of another walk, so that neighbouring
windows share all steps but one, as real ones do. Prints, for several sizes, the share of 400 simulations with p below
0.05: for two forecasters of equal error (false alarms, should be at most 0.05), and where one has a 5 % lower rmse
(power).
"""

import numpy as np

from zoo.stats.accuracy import diebold_mariano

SIMULATIONS, NOISE, BETTER = 400, 0.5, 0.95
SIZES = ((1000, 1), (200, 1), (1000, 5), (200, 12))  # windows, horizon


def walks(random: np.random.Generator, windows: int, horizon: int) -> np.ndarray:
    """[windows, horizon]: where a random walk goes after each window."""
    walk = np.concatenate([[0.0], np.cumsum(random.standard_normal(windows + horizon))])
    return walk[np.arange(windows)[:, None] + np.arange(1, horizon + 1)] - walk[:windows, None]


def main() -> None:
    """Print both shares for each size."""
    for windows, horizon in SIZES:
        alarms = detections = 0
        for number in range(SIMULATIONS):
            random = np.random.default_rng(number)
            truth = walks(random, windows, horizon)
            one, other = (((truth - NOISE * walks(random, windows, horizon)) ** 2).mean(axis=1) for _ in range(2))
            equal = diebold_mariano(one, other, horizon=horizon)
            better = diebold_mariano(BETTER**2 * one, other, horizon=horizon)
            assert equal is not None and better is not None
            alarms += equal[1] < 0.05
            detections += better[1] < 0.05 and better[0] < 0
        shares = f"false alarms {alarms / SIMULATIONS:.3f}, power {detections / SIMULATIONS:.3f}"
        print(f"{windows} windows, horizon {horizon}: {shares}")


if __name__ == "__main__":
    main()
