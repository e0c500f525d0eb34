"""Options that say what is forecast from which data, for every command that prepares data."""

import functools
import inspect
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from zoo.cli import options
from zoo.cli.options import option
from zoo.errors import InputError

# What [data] and [problem] of a suite hold, as options: every command that prepares data takes those that it can use.
DATA: dict[str, Any] = {
    "columns": options.Columns,
    "channels": Annotated[str | None, option(options.COLUMNS, "Input columns: a,b (default: all numeric but time).")],
    "time": options.Time,
    "missing": options.Missing,
    "outliers": options.Outliers,
    "series": Annotated[str | None, option(options.COLUMNS, "The column that tells series apart, such as symbol.")],
    "only": Annotated[str | None, option(options.COLUMNS, "Of several series, the name of the one to take.")],
    "categories": Annotated[
        str | None, option(options.COLUMNS, "Columns that name kinds, for which models learn vectors: store,daytype.")
    ],
    "case": options.Case,
    "label": options.Label,
    "test": Annotated[Path | None, option(options.COLUMNS, "A file with the cases of the test part.", "--test")],
}
PROBLEM: dict[str, Any] = {
    "targets": Annotated[str | None, option(options.FORECAST, "Columns to forecast: close or high,low.")],
    "lookback": Annotated[int | None, option(options.FORECAST, "Steps that the model sees (default: 7).")],
    "horizon": Annotated[int | None, option(options.FORECAST, "Steps that it forecasts (default: 1).")],
    "advised": Annotated[
        bool, option(options.FORECAST, "Where no flag says: lookback and others as zoo data advises.", "--advised")
    ],
    "split": Annotated[
        str | None,
        option(options.FORECAST, "Train, validation, test as shares, row counts or two dates (default: 0.7,0.1,0.2)."),
    ],
    "scaler": Annotated[
        str | None, option(options.FORECAST, "standard, log, log1p, minmax, robust or none (default: standard).")
    ],
    "normalise": Annotated[
        str | None, option(options.FORECAST, "Level of each window: last, none, instance (default: last).")
    ],
    "quantiles": Annotated[str | None, option(options.FORECAST, "Forecast quantiles, not the point: 0.1,0.5,0.9.")],
    "interval": Annotated[
        str | None, option(options.FORECAST, "The same, as an interval: 80 holds 80 % of the actual values.")
    ],
    "conformal": Annotated[
        bool, option(options.FORECAST, "Calibrate the quantiles on the validation part.", "--conformal")
    ],
    "adaptive": Annotated[
        bool, option(options.FORECAST, "Let the quantiles follow their own hits and misses.", "--adaptive")
    ],
    "direction": Annotated[bool, option(options.FORECAST, "Forecast the probability of a rise.", "--direction")],
    "flat": Annotated[
        str | None, option(options.FORECAST, "The same, of a fall and of a change of at most this too: 0.5% or 2.")
    ],
    "calendar": Annotated[
        str | None,
        option(options.FORECAST, "Known in advance: minute, hour, weekday, monthday, month, yearday, holiday:DE."),
    ],
    "known": Annotated[str | None, option(options.FORECAST, "Columns whose coming values are known: promo,holiday.")],
    "folds": Annotated[
        int | None, option(options.FORECAST, "Cut the test part into blocks, and train anew before each (default: 1).")
    ],
    "sliding": Annotated[
        bool, option(options.FORECAST, "Train before each fold on as many rows as before the first.", "--sliding")
    ],
}


def takes_data(*, without: Sequence[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of DATA and PROBLEM, except `without`, in place of its parameter `changes`.

    It gets the sections [data] and [problem] of a suite as the options change them.
    """
    shared = {name: hint for name, hint in {**PROBLEM, **DATA}.items() if name not in without}

    def taking(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def whole(**given: Any) -> None:
            command(changes=_sections({name: given.pop(name) for name in shared}), **given)

        every = []
        for each in inspect.signature(command).parameters.values():
            if each.name != "changes":
                every.append(each)
                continue
            for name, hint in shared.items():
                default = False if typing.get_args(hint)[0] is bool else None
                every.append(each.replace(name=name, default=default, annotation=hint))
        whole.__dict__["__signature__"] = inspect.Signature(every)
        whole.__annotations__ = {each.name: each.annotation for each in every}
        return whole

    return taking


def _sections(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The sections [data] and [problem] of a suite, None where an option was not given."""
    from zoo.space import scalar

    values = {name: None if value is False else value for name, value in given.items()}  # a flag that was not given
    for name in ("targets", "columns", "channels", "categories", "calendar", "known"):
        values[name] = options.names_in(values.get(name))
    if (split := values.get("split")) is not None:
        values["split"] = [scalar(part.strip()) for part in split.split(",")]
    if (test := values.get("test")) is not None:
        values["test"] = str(test)
    if (flat := values.pop("flat", None)) is not None:
        values["direction"] = flat
    values["quantiles"] = _levels(values.get("quantiles"), values.pop("interval", None))
    of_data = {"targets", *DATA}
    return {
        "data": {name: value for name, value in values.items() if name in of_data},
        "problem": {name: value for name, value in values.items() if name not in of_data},
    }


def _levels(quantiles: str | None, interval: str | None) -> list[float] | None:
    """The levels of --quantiles 0.1,0.5,0.9, or of --interval 80 (80 % lie between the outer two)."""
    if quantiles is not None and interval is not None:
        raise InputError("--interval 80 stands for --quantiles 0.1,0.5,0.9: give one of them")
    if interval is not None:
        text = interval.strip().removesuffix("%").strip()
        share = float(text) if text.replace(".", "", 1).isdigit() else math.nan
        if not 0 < share < 100:
            raise InputError(f"--interval takes a percentage between 0 and 100, such as 80, got '{interval}'")
        return [round(0.5 - share / 200, 9), 0.5, round(0.5 + share / 200, 9)]
    if quantiles is None:
        return None
    try:
        return [float(part) for part in quantiles.split(",")]
    except ValueError:
        raise InputError(f"--quantiles takes levels such as 0.1,0.5,0.9, got '{quantiles}'") from None
