"""Data sets that need no download: those inside the wheels of arch and statsmodels, and two generated here."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from zoo.errors import InputError


@dataclass(frozen=True)
class BuiltIn:
    """How to get a built-in data set, what it is, and what is done where its values are missing."""

    read: Callable[[], pd.DataFrame]
    summary: str
    missing: str = "refuse"


def frame(name: str) -> tuple[pd.DataFrame, str]:
    """A built-in data set as a frame, and its declared missing policy."""
    entry = BUILT_IN[name]
    try:
        return entry.read(), entry.missing
    except ImportError as error:
        raise InputError(f"the data set '{name}' needs {error.name}: pip install 'lstm-zoo[data]'") from error


def _sp500() -> pd.DataFrame:
    import arch.data.sp500

    # An index pays no dividend: its adjusted close repeats the close.
    return arch.data.sp500.load().drop(columns="Adj Close")


def _nasdaq() -> pd.DataFrame:
    import arch.data.nasdaq

    return arch.data.nasdaq.load().drop(columns="Adj Close")


def _wti() -> pd.DataFrame:
    import arch.data.wti

    return arch.data.wti.load().rename(columns={"DCOILWTICO": "price"})


def _vix() -> pd.DataFrame:
    import arch.data.vix

    return arch.data.vix.load()


def _bond_yields() -> pd.DataFrame:
    import arch.data.default

    return arch.data.default.load()


def _co2() -> pd.DataFrame:
    import statsmodels.datasets.co2

    return statsmodels.datasets.co2.load_pandas().data


def _sunspots() -> pd.DataFrame:
    import statsmodels.datasets.sunspots

    return statsmodels.datasets.sunspots.load_pandas().data.astype({"YEAR": int})


def _sea_temperature() -> pd.DataFrame:
    import statsmodels.datasets.elnino

    # A row for each year and a column for each month.
    years = statsmodels.datasets.elnino.load_pandas().data.set_index("YEAR")
    months = pd.date_range(f"{int(years.index[0])}-01-01", periods=years.size, freq="MS", name="month")
    return pd.DataFrame({"temperature": years.to_numpy(dtype=float).ravel()}, index=months)


def _electrical_equipment() -> pd.DataFrame:
    import statsmodels.datasets.elec_equip

    found = statsmodels.datasets.elec_equip.load_pandas().data
    return found.set_axis(["turnover"], axis="columns")


def _sine() -> pd.DataFrame:
    noise = np.random.default_rng(0).normal(scale=0.1, size=2000)
    return pd.DataFrame({"value": np.sin(2 * np.pi * np.arange(2000) / 25) + noise})


def _random_walk() -> pd.DataFrame:
    return pd.DataFrame({"value": 100 + np.random.default_rng(0).normal(size=5000).cumsum()})


BUILT_IN = {
    "sp500": BuiltIn(_sp500, "S&P 500, daily OHLCV 1999-2018 (arch)"),
    "nasdaq": BuiltIn(_nasdaq, "NASDAQ Composite, daily OHLCV 1999-2018 (arch)"),
    "wti": BuiltIn(_wti, "crude oil (WTI), US dollars a barrel, daily 1986-2019, holidays missing (arch)", "drop"),
    "vix": BuiltIn(_vix, "VIX, implied volatility of the S&P 500, daily 2014-2019, holidays missing (arch)", "drop"),
    "bond-yields": BuiltIn(_bond_yields, "yields of AAA and BAA bonds in percent, monthly 1919-2018 (arch)"),
    # ffill, not interpolate: a gap filled from its far side would show a window the future.
    "co2": BuiltIn(_co2, "atmospheric CO2 at Mauna Loa, weekly 1958-2001, 59 gaps (statsmodels)", "ffill"),
    "sunspots": BuiltIn(_sunspots, "sunspots, yearly 1700-2008 (statsmodels)"),
    "sea-temperature": BuiltIn(
        _sea_temperature, "sea surface off Peru (Nino 1+2) in degrees Celsius, monthly 1950-2010 (statsmodels)"
    ),
    "electrical-equipment": BuiltIn(
        _electrical_equipment, "turnover index of electrical equipment, euro area, monthly 1995-2016 (statsmodels)"
    ),
    "sine": BuiltIn(_sine, "generated: a sine of period 25 with noise of deviation 0.1, seed 0"),
    "random-walk": BuiltIn(_random_walk, "generated: a random walk from 100, unit steps, seed 0"),
}
NAMES = tuple(BUILT_IN)
