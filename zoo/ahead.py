"""ahead: what a saved model forecasts from a table, whoever computes it; nothing here needs torch."""

from datetime import datetime
from typing import Protocol

import numpy as np
import pandas as pd

from zoo.adaptive import adapted
from zoo.data.cases import Cases
from zoo.data.categories import coded
from zoo.data.further import further_channels
from zoo.data.known import split_future
from zoo.data.table import Table, clean, match_columns
from zoo.errors import Diverged, InputError, expect
from zoo.frames import Inputs, Rows, ends_of, frame_of
from zoo.model_file import Fitted, ModelFile

BATCH = 1024  # windows


class Network(Protocol):
    """What computes a model's output."""

    def __call__(self, rows: Rows, ends: np.ndarray, lookback: int) -> np.ndarray:
        """Forecasts after each of the first `ends` rows, from the `lookback` before it: float64 [k, T, D, Q] in the
        data's units, where Q is 1 without quantiles; of classes their probabilities [k, K]."""
        ...


def forecast_ahead(
    file: ModelFile, network: Network, table: Table, *, origin: str | pd.Timestamp | None, missing: str | None
) -> pd.DataFrame:
    """The horizon after the table's last row, or after earlier ones, see zoo.forecast_next."""
    expect("table", table, Table, "what zoo.load returns")
    expect("origin", origin, (str, pd.Timestamp, None), "a time, or 'all'")
    expect("missing", missing, (str, None), "text")
    if file.classes:
        raise InputError(
            f"the model classifies sequences: name the column that tells the cases of {table.source} apart, with --case"
        )
    if bool(file.series) != (table.series is not None):
        way_out = f"name their column with --series {file.series_column}" if file.series else "leave out --series"
        raise InputError(f"the model is of {'several series' if file.series else 'one series'}: {way_out}")
    fitted, every = file.fitted, table.of_each_series()
    if not fitted.keys() & every.keys():
        raise InputError(f"no series of {table.source} was in the fit, which had {', '.join(list(fitted)[:5])}, ...")
    frames = []
    for name, series in every.items():
        if name not in fitted:
            continue
        inputs = _inputs_of(file, fitted[name], series, missing)
        ends = ends_of(inputs, origin, file.problem.lookback)
        if inputs.ahead is not None:
            ends = _with_known(file, series, inputs, ends)
        forecasts = _computed(network, inputs.rows, ends, file.problem.lookback)
        if file.problem.is_adaptive:
            forecasts = _adapted(file, network, inputs, ends, forecasts)
        frame = frame_of(forecasts, ends, inputs, origin, file)
        if file.series:
            frame.insert(0, str(file.series_column), name)
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    whole.attrs["left_out"] = [name for name in every if name not in fitted]
    return whole


def classified(file: ModelFile, network: Network, cases: Cases) -> pd.DataFrame:
    """For each case the class that it most probably belongs to, see zoo.classify."""
    expect("cases", cases, Cases, "labelled sequences, as zoo.load and zoo.cases return")
    if not file.classes:
        raise InputError(
            f"the model forecasts {', '.join(file.targets)}, and {cases.source} holds sequences to classify"
        )
    if cases.channels != file.channels:
        raise InputError(
            f"{cases.source} has the channels {', '.join(cases.channels)}, the model needs {', '.join(file.channels)}"
        )
    scaler = file.fitted[""].scaler
    rows = Rows(scaler.transform(cases.values).astype(np.float32), cases.values, scaler)
    ends, chances = np.cumsum(cases.lengths), np.empty((len(cases), len(file.classes)))
    for length in np.unique(cases.lengths):
        own = np.flatnonzero(cases.lengths == length)
        try:
            chances[own] = _computed(network, rows, ends[own], int(length))
        except Diverged:
            raise
        except Exception as error:  # a variant may raise anything
            if length == file.problem.lookback:
                raise
            raise InputError(
                f"{file.variant} needs sequences of {file.problem.lookback} steps, and case "
                f"'{cases.names[own[0]]}' of {cases.source} has {length}"
            ) from error
    (label,) = file.targets
    label = "class" if label == "case" else label
    frame = pd.DataFrame({"case": cases.names, label: np.array(file.classes)[chances.argmax(axis=1)]})
    return frame.assign(**{f"p_{name}": chances[:, place] for place, name in enumerate(file.classes)})


def _computed(network: Network, rows: Rows, ends: np.ndarray, lookback: int) -> np.ndarray:
    """What the network says, in batches; raises Diverged where that is not finite."""
    parts = [network(rows, ends[first : first + BATCH], lookback) for first in range(0, len(ends), BATCH)]
    whole = np.concatenate(parts)
    if not np.isfinite(whole).all():
        raise Diverged("the model's forecasts are not finite numbers")
    return whole


def _inputs_of(file: ModelFile, fitted: Fitted, table: Table, missing: str | None) -> Inputs:
    """The inputs from the rows of one series."""
    future = None
    known: tuple[str, ...] = ()
    if file.known:
        known = match_columns(file.known, (*table.columns, *table.unusable), table.source)
        table, future = split_future(table, known, match_columns(file.channels, table.columns, table.source))
    names = match_columns(file.channels, (*table.columns, *table.unusable), table.source)
    cleaned = clean(table.select(names), names, missing or file.missing, table.source)
    values, is_used = cleaned.values, cleaned.is_used
    problem, outliers = file.problem, fitted.outliers
    before = 0 if outliers is None else outliers.rows_before
    if len(values) < problem.lookback + before:
        more = f", and outliers hampel looks at the {before} rows before it" if before else ""
        raise InputError(
            f"too few rows: {table.source} has {len(values)}, the model's lookback is {problem.lookback}{more}"
        )
    time = table.time[is_used] if table.time is not None else None
    later = future.time if future is not None else None
    if unread := [name for name in file.categories if name not in table.categories]:
        raise InputError(
            f"the model learned {', '.join(unread)} as names of kinds, and {table.source} was read without: name them "
            f"with categories, as zoo.load(..., categories={list(file.categories)})"
        )
    further = further_channels(
        table, cleaned, names, time, horizon=problem.horizon, calendar=file.calendar, known=known, future=future,
        known_scaler=fitted.known_scaler,
        categories=tuple(file.categories), masked=file.masked,
    )  # fmt: skip
    for position, (name, learned) in zip(further.coded, file.categories.items(), strict=True):
        codes = further.values[:, position - len(names)]
        codes[:] = coded(codes, table.categories[name], learned)
    policy = missing or file.missing
    is_interpolated = policy == "interpolate" and bool(cleaned.is_filled.any())
    read = values if outliers is None else outliers.cleaned(values)
    scaled = np.concatenate([fitted.scaler.scaled(read), further.values.astype(np.float32)], axis=1)
    rows = Rows(scaled, np.concatenate([read, further.values], axis=1), fitted.scaler, fitted.place)
    ahead = None if future is None else len(future.values)
    return Inputs(
        table.source, rows, values, cleaned.is_filled, time, later, is_interpolated, policy == "skip", before, ahead
    )


def _adapted(file: ModelFile, network: Network, inputs: Inputs, ends: np.ndarray, forecasts: np.ndarray) -> np.ndarray:
    """The same forecasts, moved by what those since the model's training would have hit and missed."""
    problem, seen = file.problem, file.seen
    rows = len(inputs.values)
    if isinstance(seen, datetime) and inputs.time is not None:
        seen = int((inputs.time <= pd.Timestamp(seen)).sum())
    replayed = np.arange(max(problem.lookback + inputs.before, seen if isinstance(seen, int) else rows), rows + 1)
    if not len(replayed):
        return forecasts
    places = replayed[:, None] + np.arange(problem.horizon)
    actual = np.where((places < rows)[..., None], inputs.values[np.minimum(places, rows - 1)], np.nan)
    actual[inputs.is_filled[np.minimum(places, rows - 1)]] = np.nan
    targets = list(problem.targets)
    quantiles = _computed(network, inputs.rows, replayed, problem.lookback)
    moved = adapted(quantiles, actual[..., targets], replayed, problem.quantiles)
    is_replayed = ends >= replayed[0]
    forecasts[is_replayed] = moved[ends[is_replayed] - replayed[0]]
    return forecasts


def _with_known(file: ModelFile, table: Table, inputs: Inputs, ends: np.ndarray) -> np.ndarray:
    """The origins for whose whole horizon the known columns are known; raises InputError where there are none."""
    rows, horizon = len(inputs.values) + (inputs.ahead or 0), file.problem.horizon
    within = ends[ends + horizon <= rows]
    if not len(within):
        end = int(ends[0])
        after = f"after {inputs.time[end - 1]}" if inputs.time is not None else f"after the {end} rows"
        raise InputError(
            f"{', '.join(file.known)} must be known for the {horizon} steps {after}, and {table.source} has "
            f"{rows - end}: add rows with the time and these columns, and leave the others empty"
        )
    return within
