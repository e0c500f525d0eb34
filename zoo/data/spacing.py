"""The spacing of timestamps: what it is called, where it is broken, and which timestamps come next."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, BusinessDay

SEASONS = {"business days": 5, "daily": 7, "weekly": 52, "monthly": 12, "quarterly": 4}
MOST_STEPS = 288  # of a season: a day of five minutes
BUSINESS = ("BME", "BMS", "BQE", "BQS", "BYE", "BYS")  # of pandas: months, quarters, years in business days


@dataclass(frozen=True)
class Spacing:
    """The usual step between timestamps, in words and as an offset, and how many steps are longer."""

    name: str
    offset: BaseOffset | pd.Timedelta
    gaps: int

    @property
    def season(self) -> int | None:
        """Steps of the likeliest season, None where the spacing suggests none.

        A year of months, quarters or weeks; a week of days; of shorter steps a day, or the longest of an hour and a
        minute that at most MOST_STEPS of them fill.
        """
        if self.name in SEASONS:
            return SEASONS[self.name]
        if not isinstance(self.offset, pd.Timedelta):
            return None
        counts = [seconds / self.offset.total_seconds() for seconds in (86400, 3600, 60)]
        return next((int(count) for count in counts if 2 <= count <= MOST_STEPS and count.is_integer()), None)


def spacing(time: pd.DatetimeIndex | None) -> Spacing | None:
    """The spacing of ascending timestamps, or None where there is no usual one.

    A calendar rule (month starts, quarter ends, ...) where one fits every row; business days where no
    row falls on a weekend; else the step between at least 90 % of the rows.
    """
    if time is None or len(time) < 3:
        return None
    steps = np.diff(time.to_numpy())
    usual = pd.Timedelta(np.median(steps.astype("timedelta64[ns]").astype(np.int64)), unit="ns")
    if (steps == steps[0]).all():
        return Spacing(_step_name(usual), usual, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rule = pd.infer_freq(time)
    if rule is not None:
        return Spacing(_rule_name(rule), to_offset(rule), 0)
    if usual == pd.Timedelta(days=1) and (time.day_of_week < 5).all():
        expected = np.busday_count(
            time[:-1].to_numpy().astype("datetime64[D]"), time[1:].to_numpy().astype("datetime64[D]")
        )
        return Spacing("business days", BusinessDay(), int((expected > 1).sum()))
    share = float((steps == usual.to_numpy()).mean())
    return Spacing(_step_name(usual), usual, int((steps > usual.to_numpy()).sum())) if share >= 0.9 else None


def next_times(time: pd.DatetimeIndex | None, count: int) -> pd.DatetimeIndex | None:
    """The `count` timestamps that follow the last one, where the spacing is known."""
    usual = spacing(time)
    if time is None or usual is None:
        return None
    return pd.date_range(time[-1], periods=count + 1, freq=usual.offset)[1:]


def stamp(time: pd.Timestamp) -> str:
    """A timestamp as text, without its clock at midnight."""
    return str(time.date()) if time == time.normalize() else str(time)


def _step_name(step: pd.Timedelta) -> str:
    for name, one in (("weekly", 7 * 86400), ("daily", 86400), ("hourly", 3600), ("every minute", 60)):
        if step.total_seconds() == one:
            return name
    return f"every {step}"


def _rule_name(rule: str) -> str:
    names = {"B": "business days", "M": "monthly", "Q": "quarterly", "Y": "yearly", "W": "weekly", "D": "daily"}
    if rule.split("-")[0] in BUSINESS:
        rule = rule[1:]
    return names.get(rule[0], rule) if not rule[0].isdigit() else f"every {rule}"
