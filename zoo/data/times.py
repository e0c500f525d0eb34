"""Finding and parsing the time column of a frame, and putting its rows in time order."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype as _is_numeric

from zoo.data.table import match_columns
from zoo.errors import InputError

CLOCK_NAMES = ("date", "datetime", "timestamp", "time", "date time", "open time", "close time", "ds")
TIME_NAMES = (*CLOCK_NAMES, "day", "week", "month", "year", "period")
PARTS = ("year", "quarter", "month", "day", "hour", "minute", "second")
# Formats of text; None lets pandas infer one from the first value.
FORMATS = (
    None, "day first", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%b-%Y", "%b %Y", "%d-%b-%y", "%d-%b-%Y",
    "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p",
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """The time columns of a frame: their names, the timestamps (or None), sort keys, notes."""

    columns: tuple[str, ...]
    time: pd.DatetimeIndex | None
    keys: np.ndarray | None
    notes: tuple[str, ...] = ()


def find_order(frame: pd.DataFrame, named: str | None, source: str) -> Order:
    """The order of a frame's rows: by the named column, or by one that looks like times, or as they stand.

    A `year` column with `month`, `day`, `hour` ... beside it is joined with them, and `date` with `time`.
    Raises InputError when the named column (or one called `date`) cannot be read as times.
    """
    if named is not None:
        (column,) = match_columns([named], list(frame.columns), source)
        times, notes = read_times(frame[column])
        if times is not None:
            return _dated((column,), times, *notes)
        if _is_numeric(frame[column]) and not frame[column].isna().any():
            return _numbered(frame[column], column)
        raise _unreadable(frame[column], column, source)
    if isinstance(frame.index, pd.DatetimeIndex):
        times, _ = read_times(pd.Series(frame.index))
        if times is None:
            raise InputError(f"the time index of {source} has missing values: fill them or drop the rows")
        return _dated((), times)
    folded = {_folded(column): column for column in reversed(frame.columns)}
    joined = _joined(frame, folded)
    if joined is not None:
        return joined
    likely = [folded[name] for name in TIME_NAMES if name in folded]
    for column in dict.fromkeys([*likely, *(name for name in frame.columns if not _is_numeric(frame[name]))]):
        times, notes = read_times(frame[column])
        if times is not None:
            return _dated((column,), times, *notes)
        if column in (folded.get("date"), folded.get("datetime")) and not _is_numeric(frame[column]):
            raise _unreadable(frame[column], column, source)
    for name in CLOCK_NAMES:  # numbers that are not dates may still order the rows
        numbers = frame[folded[name]] if name in folded else None
        if numbers is not None and _is_numeric(numbers) and not numbers.isna().any():
            values = numbers.to_numpy(dtype=float)
            steps = np.diff(values) if np.isfinite(values).all() else np.zeros(1)
            if (steps > 0).all() or (steps < 0).all():
                return _numbered(numbers, folded[name])
    return Order((), None, None, ("no time column found: rows are taken in the order of the file",))


def is_named_like_time(name: str) -> bool:
    """Whether a column of numbers is named like a time: then it is not a channel, even if it holds no times."""
    return _folded(name) in CLOCK_NAMES


def _folded(name: str) -> str:
    return name.strip("<> ").casefold().replace("_", " ")


def _numbered(column: pd.Series, name: str) -> Order:
    note = f"time column '{name}' holds plain numbers: used for the order of rows, not as dates"
    return Order((name,), None, column.to_numpy(dtype=float), (note,))


def read_times(column: pd.Series) -> tuple[pd.DatetimeIndex | None, tuple[str, ...]]:
    """One timestamp a value (None unless every value is a time), and a note where another reading was possible.

    Text: ISO 8601, else one format for all values. Where day/month and month/day both fit, the one that
    leaves the rows in order wins, then the one with the steadier steps, then month/day. Time zones: where
    every local time is midnight (daily data) the local date, else UTC. Whole numbers: years, yyyymmdd, or
    seconds, milliseconds, microseconds or nanoseconds since 1970.
    """
    if column.isna().any() or len(column) == 0:
        return None, ()
    if pd.api.types.is_datetime64_any_dtype(column):
        return _plain(pd.DatetimeIndex(column)), ()
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_complex_dtype(column):
        return None, ()
    if _is_numeric(column):
        return _from_numbers(column), ()
    text = column.astype(str).str.strip()
    if text.str.fullmatch(r"[0-9]{1,18}").all():
        return _from_numbers(pd.to_numeric(text)), ()
    # A date that begins with its year has one reading; pandas would also take it for year-day-month.
    iso = _try(text, "ISO8601")
    if iso is not None:
        return iso, ()
    candidates = [times for format in FORMATS if (times := _try(text, format)) is not None]
    if not candidates:
        return None, ()
    in_order = [t for t in candidates if t.is_monotonic_increasing or t.is_monotonic_decreasing]
    best = min(in_order or candidates, key=_unsteadiness)
    if all(best.equals(other) for other in candidates):
        return best, ()
    return best, (f"dates can be read in two ways: {text.iloc[0]} was read as {best[0].date()}",)


def _unsteadiness(times: pd.DatetimeIndex) -> float:
    """The largest step over the usual one; at least 1.2, so that months of unequal length count as steady."""
    if len(times) < 3:
        return 1.0
    steps = np.abs(np.diff(times.to_numpy().astype("datetime64[s]").astype(np.int64)))
    return max(1.2, float(steps.max() / max(np.median(steps), 1)))


def _try(text: pd.Series, format: str | None) -> pd.DatetimeIndex | None:
    options = {"dayfirst": True} if format == "day first" else {"format": format}
    # pandas warns when it does not know the format of the first value, and then guesses value by value.
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Could not infer format")
        warnings.filterwarnings("ignore", message="Parsing dates in")
        try:
            return _plain(pd.DatetimeIndex(pd.to_datetime(text, **options)))
        except (ValueError, TypeError, OverflowError, UserWarning):
            pass
        try:  # offsets that change through the year: the local dates of daily rows, else UTC
            in_utc = pd.DatetimeIndex(pd.to_datetime(text, utc=True, **options))
            local = pd.DatetimeIndex(
                pd.to_datetime(text.str.replace(r" ?[-+][0-9]{2}:?[0-9]{2}$", "", regex=True), **options)
            )
        except (ValueError, TypeError, OverflowError, UserWarning):
            return None
    is_daily = local.tz is None and (local == local.normalize()).all()
    return local if is_daily and not local.hasnans else _plain(in_utc)


def _plain(times: pd.DatetimeIndex) -> pd.DatetimeIndex | None:
    """Timestamps without a time zone, or None where one is missing."""
    if times.hasnans or not ((times.year >= 1) & (times.year <= 9999)).all():
        return None
    if times.tz is None:
        return times
    local = times.tz_localize(None)
    return local if (local == local.normalize()).all() else times.tz_convert("UTC").tz_localize(None)


def _from_numbers(column: pd.Series) -> pd.DatetimeIndex | None:
    numbers = column.to_numpy(dtype=float)
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
        return None
    low, high = numbers.min(), numbers.max()
    if low < 0 or high > 2**62:
        return None
    whole = pd.Series(numbers.astype(np.int64))
    if low >= 1000 and high <= 3000:
        return _try(whole.astype(str), "%Y")
    if low >= 10_000_101 and high <= 30_001_231:
        return _try(whole.astype(str), "%Y%m%d")
    for unit, second in (("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        if low >= 1e8 * second and high <= 1e10 * second:
            return pd.DatetimeIndex(pd.to_datetime(whole, unit=unit))
    return None


def _joined(frame: pd.DataFrame, folded: dict[str, str]) -> Order | None:
    parts = [name for name in PARTS if name in folded and _is_numeric(frame[folded[name]])]
    if "year" in parts and ("month" in parts or "quarter" in parts):
        pieces = {name: frame[folded[name]] for name in parts if name != "quarter"}
        if "month" not in pieces:
            pieces["month"] = 3 * frame[folded["quarter"]] - 2
        pieces.setdefault("day", pd.Series(1, index=frame.index))
        try:
            times = pd.DatetimeIndex(pd.to_datetime(pd.DataFrame(pieces)))
        except (ValueError, TypeError):
            return None
        columns = tuple(folded[name] for name in parts)
        return _dated(columns, times, f"time joined from the columns {', '.join(columns)}")
    if "date" in folded and "time" in folded:
        day, clock = _padded(frame[folded["date"]], 8), _padded(frame[folded["time"]], 6)
        if not _is_numeric(day) and not _is_numeric(clock):
            joined, _ = read_times(day.astype(str).str.strip() + " " + clock.astype(str).str.strip())
            if joined is not None:
                columns = (folded["date"], folded["time"])
                return _dated(columns, joined, f"time joined from the columns {', '.join(columns)}")
    return None


def _padded(column: pd.Series, digits: int) -> pd.Series:
    """Whole numbers such as 20200102 and 93000 as text of so many digits; anything else as it is."""
    if not pd.api.types.is_integer_dtype(column):
        return column
    text = column.astype(str).str.zfill(digits)
    return text.str.replace(r"^(\d\d)(\d\d)(\d\d)$", r"\1:\2:\3", regex=True) if digits == 6 else text


def _dated(columns: tuple[str, ...], times: pd.DatetimeIndex, *notes: str) -> Order:
    return Order(columns, times, times.to_numpy(), notes)


def _unreadable(column: pd.Series, name: str, source: str) -> InputError:
    if column.isna().any():
        row = int(np.flatnonzero(column.isna().to_numpy())[0])
        return InputError(f"time column '{name}' of {source} is empty in data row {row + 1}: fill it or drop the row")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = pd.to_datetime(column.astype(str), errors="coerce", utc=True)
    bad = np.flatnonzero(parsed.isna().to_numpy())
    if len(bad) in (0, len(column)):
        return InputError(
            f"time column '{name}' of {source}: {column.iloc[0]!r} is in no date format that zoo reads; write dates as "
            "2020-01-31, or name another column with --time"
        )
    row = int(bad[0])
    return InputError(
        f"time column '{name}' of {source}: {column.iloc[row]!r} in data row {row + 1} is not a date in the "
        "format of the other rows; fix it, or name another column with --time"
    )
