"""Data sets that need no download: those inside the wheels of arch and statsmodels, and those generated here.

Only the files of the wheels are read: importing arch takes as long as importing torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from zoo.data import generated
from zoo.errors import InputError


@dataclass(frozen=True)
class BuiltIn:
    """How to read a built-in data set, what it is, and its policy for missing values.

    attainable: of generated data, a column and the rmse of its best forecast one step ahead, which no model can beat
    but by chance; zero: there is nothing random, at any horizon.
    """

    read: Callable[[], pd.DataFrame]
    summary: str
    missing: str = "refuse"
    attainable: tuple[str, float] | None = None


def frame(name: str) -> pd.DataFrame:
    """A built-in data set as a frame."""
    try:
        return BUILT_IN[name].read()
    except (ImportError, FileNotFoundError) as error:
        package = error.name if isinstance(error, ImportError) else f"a version with {error.filename}"
        raise InputError(f"the data set '{name}' needs {package}: pip install 'lstm-zoo[data]'") from error


def _arch(name: str) -> pd.DataFrame:
    """A data set of arch; an index pays no dividend, so its adjusted close, which repeats the close, is dropped."""
    dated = pd.read_csv(_folder("arch") / "data" / name / f"{name}.csv.gz", parse_dates=["Date"], index_col="Date")
    return dated.drop(columns="Adj Close", errors="ignore").apply(pd.to_numeric, errors="coerce")


def _statsmodels(name: str) -> pd.DataFrame:
    return pd.read_csv(_folder("statsmodels") / "datasets" / name / f"{name}.csv")


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(name=package)
    return Path(spec.origin).parent


def _co2() -> pd.DataFrame:
    weeks = _statsmodels("co2")
    index = pd.date_range(str(weeks["date"].iloc[0]), periods=len(weeks), freq="W-SAT")
    return weeks[["co2"]].set_axis(index)


def _electrical_equipment() -> pd.DataFrame:
    months = _statsmodels("elec_equip").set_axis(["DATE", "turnover"], axis="columns")
    return months.assign(DATE=pd.to_datetime(months["DATE"])).set_index("DATE")


def _sea_temperature() -> pd.DataFrame:
    years = _statsmodels("elnino").set_index("YEAR")  # a row for each year and a column for each month
    months = pd.date_range(f"{int(years.index[0])}-01-01", periods=years.size, freq="MS", name="month")
    return pd.DataFrame({"temperature": years.to_numpy(dtype=float).ravel()}, index=months)


BUILT_IN = {
    "sp500": BuiltIn(partial(_arch, "sp500"), "S&P 500, daily OHLCV 1999-2018 (arch)"),
    "nasdaq": BuiltIn(partial(_arch, "nasdaq"), "NASDAQ Composite, daily OHLCV 1999-2018 (arch)"),
    "wti": BuiltIn(
        lambda: _arch("wti").rename(columns={"DCOILWTICO": "price"}),
        "crude oil (WTI), US dollars a barrel, daily 1986-2019, holidays missing (arch)",
        "drop",
    ),
    "vix": BuiltIn(
        partial(_arch, "vix"),
        "VIX, implied volatility of the S&P 500, daily 2014-2019, holidays missing (arch)",
        "drop",
    ),
    "bond-yields": BuiltIn(
        partial(_arch, "default"), "yields of AAA and BAA bonds in percent, monthly 1919-2018 (arch)"
    ),
    # ffill, not interpolate: interpolation would show a window the value behind a gap, its future.
    "co2": BuiltIn(_co2, "atmospheric CO2 at Mauna Loa, weekly 1958-2001, 59 gaps (statsmodels)", "ffill"),
    "sunspots": BuiltIn(partial(_statsmodels, "sunspots"), "sunspots, yearly 1700-2008 (statsmodels)"),
    "sea-temperature": BuiltIn(
        _sea_temperature, "sea surface off Peru (Nino 1+2) in degrees Celsius, monthly 1950-2010 (statsmodels)"
    ),
    "electrical-equipment": BuiltIn(
        _electrical_equipment,
        "turnover index of electrical equipment, euro area, monthly 1995-2016 (statsmodels)",
    ),
    "sine": BuiltIn(
        generated.sine, "generated: a sine of period 25 with noise of deviation 0.1, seed 0", attainable=("value", 0.1)
    ),
    "random-walk": BuiltIn(
        generated.random_walk, "generated: a random walk from 100, unit steps, seed 0", attainable=("value", 1.0)
    ),
    "narma": BuiltIn(
        generated.narma, "generated: NARMA-10, a nonlinear moving average of a random input", attainable=("value", 0.01)
    ),
    "mackey-glass": BuiltIn(
        generated.mackey_glass, "generated: the chaotic Mackey-Glass equation, delay 17", attainable=("value", 0.0)
    ),
    "adding": BuiltIn(
        generated.adding, "generated: the sum of the last two marked values, a test of memory", attainable=("sum", 0.0)
    ),
    "regimes": BuiltIn(
        generated.regimes, "generated: an autoregression of two regimes with unit noise", attainable=("value", 1.0)
    ),
}
NAMES = tuple(BUILT_IN)
