"""prepare: a table, of one series or of several, becomes windows of train, validation and test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.data.cases import Cases
from zoo.data.codes import with_codes
from zoo.data.dataset import WHOLE, Data
from zoo.data.one_series import one_series
from zoo.data.panel import prepare_panel
from zoo.data.prepare_cases import SHARES as CASE_SHARES
from zoo.data.prepare_cases import prepare_cases
from zoo.data.request import Request, checked_levels
from zoo.data.sources import SOURCES, Source, load
from zoo.data.split import SHARES, Fold
from zoo.data.table import Table
from zoo.errors import InputError, expect
from zoo.problem import LOOKBACK, Normalise


def prepare(
    table: Table | Cases | Source,
    *,
    targets: str | Sequence[str] = (),
    channels: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    series: str | None = None,
    only: str | None = None,
    case: str | None = None,
    label: str | None = None,
    test: str | Path | None = None,
    categories: Sequence[str] | None = None,
    lookback: int | None = None,
    horizon: int = 1,
    split: Sequence[Any] | None = None,
    scaler: str = "standard",
    normalise: Normalise | None = None,
    missing: str | None = None,
    outliers: str = "none",
    quantiles: Sequence[float] = (),
    conformal: bool = False,
    adaptive: bool = False,
    direction: bool | str = False,
    calendar: Sequence[str] = (),
    known: Sequence[str] = (),
    fold: Fold = WHOLE,
) -> Data:
    """Windows of the three parts of a table, or of what zoo.load takes, ready to fit and to evaluate.

    targets: what to forecast, needed where there are several columns; channels: the model's inputs (default: every
    numeric column); targets must be among them. Those that are constant over the training rows are left out. columns,
    time, series, only, case, label, test, categories: of a table that is not loaded yet, see zoo.load. A window belongs
    to the part in which all its target rows lie, and to none where one of them was filled. lookback, split, normalise:
    None is 7, (0.7, 0.1, 0.2), last. scaler, split: see fit_scaler and split_rows; missing: see clean (default: what
    the source declares, else refuse); outliers: clip or hampel clean inputs alone, see zoo.data.outliers. quantiles:
    levels to forecast in place of the point, such as (0.1, 0.5, 0.9); conformal: calibrate them on the validation part;
    adaptive: let them follow their own hits and misses from forecast to forecast, see zoo.adaptive; direction:
    forecast the probability that the target rises above its last value, or with a size such as "0.5%" (of the last
    value) or "2" (in its units) those of a fall, of a change of at most that size, and of a rise; calendar: periods
    (hour, weekday, ...) whose position is known in advance and becomes further channels, see zoo.data.calendar; known:
    columns whose values are known `horizon` steps in advance, and which are no other channels, see zoo.data.known.
    fold: cut the test part into blocks, and take one of them as the test part, see split_of_fold; channels that are
    constant, and the units of scaled errors, are those of the first block's train part.

    A table of several series gives windows of each of them, none of which crosses from one to another; each series has
    its own split, scaler and units. Cases become parts to classify, see prepare_cases, and take split (default: 0.6,
    0.2, 0.2), scaler and normalise (none or instance, default: none) alone.

    Raises InputError for a setting or values that cannot be used.
    """
    how: dict[str, Any] = {"columns": columns, "time": time, "series": series, "only": only}
    how |= {"case": case, "label": label, "test": test, "categories": categories}
    if not isinstance(table, Table | Cases):
        expect("table", table, SOURCES, "what zoo.load returns, or what it takes")
        table = load(table, **how)
    elif setting := next((name for name, value in how.items() if value is not None), None):
        raise InputError(
            f"{setting} says how {table.source} is read, and it is read already: give {setting} to zoo.load"
        )
    targets, calendar, known = ([each] if isinstance(each, str) else each for each in (targets, calendar, known))
    if isinstance(table, Cases):
        of_forecasts = {
            "targets": list(targets) not in ([], [table.label]),
            "lookback": lookback not in (None, int(table.lengths.max())), "horizon": horizon != 1,
            "missing": missing not in (None, "refuse"), "outliers": outliers != "none", "quantiles": quantiles,
            "conformal": conformal, "adaptive": adaptive, "direction": direction, "calendar": calendar, "known": known,
            "folds": fold.count > 1,
        }  # fmt: skip
        if setting := next((name for name, value in of_forecasts.items() if value), None):
            raise InputError(
                f"{setting} cannot be set for {table.source}, which holds sequences to classify: leave it out"
            )
        if channels is not None:
            table = table.select(channels)
        return prepare_cases(table, split=split or CASE_SHARES, scaler=scaler, normalise=normalise or "none")
    lookback = LOOKBACK if lookback is None else lookback
    request = Request(
        targets, channels, lookback, horizon, split or SHARES, scaler, normalise or "last", missing,
        checked_levels(quantiles), conformal, adaptive, direction, tuple(calendar), tuple(known), fold, outliers,
    )  # fmt: skip
    is_one = table.series is None
    data = one_series(table, request, drops_constant=True) if is_one else prepare_panel(table, request)
    return with_codes(data, table.categories) if table.categories else data
