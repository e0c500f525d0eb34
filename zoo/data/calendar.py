"""Calendar: the position in the day, week and year of the step to be forecast, and holidays: known in advance."""

from collections.abc import Container, Sequence
from typing import Any

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


HOLIDAY = "holiday:"  # and the code of a country, such as DE


def check_calendar(calendar: Sequence[str]) -> None:
    """Raise InputError for names that are none, and for one that stands twice."""
    for name in calendar:
        if name.startswith(HOLIDAY):
            _holidays_of(name, [])
        elif name not in PERIODS:
            raise unknown("calendar", name, [*PERIODS, f"{HOLIDAY}DE"])
    if len(set(calendar)) < len(calendar):
        raise InputError(f"calendar names a period twice: {', '.join(calendar)}")


def calendar_channels(
    time: pd.DatetimeIndex | None,
    calendar: Sequence[str],
    horizon: int,
    source: str,
    later: pd.DatetimeIndex | None = None,
) -> np.ndarray:
    """Sine and cosine of each period, and 1 on holidays, else 0: float64 [rows, channels]; in each row those of the row
    `horizon` steps later.

    So a window's last `horizon` rows hold the calendar of the steps to forecast. Times after the last row are `later`,
    or follow from the spacing; where there is none they repeat the last. Raises InputError without times, and for a
    period whose position never changes.
    """
    if time is None:
        raise InputError(f"a calendar needs times, and {source} has no time column: name it with --time")
    later = later[:horizon] if later is not None and len(later) >= horizon else next_times(time, horizon)
    times = time.append(later if later is not None else time[-1:].repeat(horizon))[horizon:]
    columns = []
    for name in calendar:
        if name.startswith(HOLIDAY):
            free = _holidays_of(name, sorted(set(times.year)))
            columns.append(np.array([day in free for day in times.date], dtype=float))
            continue
        share = np.asarray(PERIODS[name](times), dtype=float)
        if len(share) > 1 and np.ptp(share) == 0:
            raise InputError(f"calendar {name} is the same in every row of {source}: leave it out")
        columns += [np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)]
    return np.stack(columns, axis=1)


def _holidays_of(name: str, years: Sequence[int]) -> Container[Any]:
    """The public holidays of the country in a name such as holiday:DE; raises InputError for one that is unknown."""
    try:
        import holidays
    except ImportError as error:
        raise InputError(f"calendar {name} needs the package holidays: pip install 'lstm-zoo[calendar]'") from error
    code = name.removeprefix(HOLIDAY).upper()
    try:
        return holidays.country_holidays(code, years=years)
    except NotImplementedError as error:
        raise InputError(
            f"calendar {name} names no country that the package holidays knows: take a code of two letters, such as "
            f"{HOLIDAY}DE"
        ) from error
