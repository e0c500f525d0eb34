"""leaks: channels that tell what a target does next, which few honest ones can."""

import numpy as np

SUSPECT = 0.5  # of what the target's own last values leave unexplained; narma's drive tells 0.38, prices 0.01
FEWEST, MOST = 30, 10**5  # training rows; of more the newest tell enough
ROUNDING = 1e-10


def leaks(values: np.ndarray, channels: tuple[str, ...], targets: tuple[int, ...]) -> tuple[str, ...]:
    """A note on each channel of the training rows [rows, C] that tells a target's next step from one row alone.

    Of the next change of a target, what a linear map of its last two values leaves is explained with the channel's last
    value. Of honest channels that share is small; of one that holds a later value of the target, such as an indicator
    smoothed over both sides or a column joined a day too early, it is large.
    """
    others = [place for place in range(values.shape[1]) if place not in targets]
    if len(values) < FEWEST or not others:
        return ()
    values = values[-MOST:].astype(np.float64, copy=False)
    return tuple(
        f"channel '{channels[place]}' tells {100 * share:.0f} % of what '{channels[target]}' does next beyond its own "
        "last values: a leak, unless it is known at that time; --channels leaves it out"
        for target in targets
        for place, share in zip(others, shares_explained(values[:, target], values[:, others]), strict=True)
        if share > SUSPECT
    )


def shares_explained(target: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How much each other column's last value explains of what the target's last two leave of its next change.

    target: [rows]; others: [rows, C]; shares from 0 to 1, [C]. 0 where the target's own values leave nothing, and for a
    column that these values tell.
    """
    series = target - target.mean()
    change = series[2:] - series[1:-1]
    own, _ = np.linalg.qr(np.column_stack([np.ones(len(change)), series[1:-1], series[:-2]]))
    last = others[1:-1] - others.mean(axis=0)
    left, extra = change - own @ (own.T @ change), last - own @ (own.T @ last)
    unexplained, new = float(left @ left), np.sum(extra**2, axis=0)
    has_new = (new > ROUNDING * np.sum(last**2, axis=0)) & (unexplained > ROUNDING * float(change @ change))
    explained = (left @ extra) ** 2 / np.where(has_new, new, 1.0) / (unexplained or 1.0)
    return np.asarray(np.where(has_new, explained, 0.0))
