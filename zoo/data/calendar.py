"""Calendar: the position in the day, week and year of the step to be forecast, which is known in advance."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from zoo.data.spacing import next_times
from zoo.errors import InputError, unknown

PERIODS = {
    "minute": lambda time: (time.minute + time.second / 60) / 60,
    "hour": lambda time: (time.hour + time.minute / 60) / 24,
    "weekday": lambda time: time.day_of_week / 7,
    "monthday": lambda time: (time.day - 1) / time.days_in_month,
    "month": lambda time: (time.month - 1) / 12,
    "yearday": lambda time: (time.day_of_year - 1) / np.where(time.is_leap_year, 366, 365),
}


def check_calendar(calendar: Sequence[str], lookback: int, horizon: int) -> None:
    """Raise InputError for names that are none, and for a lookback in which not all steps to forecast are seen."""
    for name in calendar:
        if name not in PERIODS:
            raise unknown("calendar", name, list(PERIODS))
    if len(set(calendar)) < len(calendar):
        raise InputError(f"calendar names a period twice: {', '.join(calendar)}")
    if calendar and lookback < horizon:
        raise InputError(f"with a calendar lookback must be >= horizon, got {lookback} and {horizon}")


def calendar_channels(time: pd.DatetimeIndex | None, calendar: Sequence[str], horizon: int, source: str) -> np.ndarray:
    """Sine and cosine of each period, float64 [rows, 2 x periods]: in each row those of the row `horizon` steps later.

    So a window's last `horizon` rows hold the calendar of the steps to forecast. Times after the last row follow from
    the spacing; where there is none they repeat the last. Raises InputError without times, and for a period whose
    position never changes.
    """
    if time is None:
        raise InputError(f"a calendar needs times, and {source} has no time column: name it with --time")
    later = next_times(time, horizon)
    times = time.append(later if later is not None else time[-1:].repeat(horizon))[horizon:]
    columns = []
    for name in calendar:
        share = np.asarray(PERIODS[name](times), dtype=float)
        if len(share) > 1 and np.ptp(share) == 0:
            raise InputError(f"calendar {name} is the same in every row of {source}: leave it out")
        columns += [np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)]
    return np.stack(columns, axis=1)
