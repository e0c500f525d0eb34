"""One series: a table becomes windows of train, validation and test, with a scaler fitted on its train rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from zoo.data.dataset import Data, Unusable, check_parts, parts_of
from zoo.data.further import further_channels, known_numbers
from zoo.data.known import match_known, split_future
from zoo.data.leaks import leaks
from zoo.data.moves import MOVES, flat_of
from zoo.data.outliers import cleaned_note, fit_outliers
from zoo.data.request import Request
from zoo.data.scaling import MAPS, check_positive, fit_scaler, fit_units
from zoo.data.split import Fold, Split, split_of_fold, split_rows
from zoo.data.table import Table, class_values, clean, fingerprint, match_columns
from zoo.data.windows import Windows, limits_of
from zoo.errors import InputError
from zoo.problem import Problem

NO_WINDOWS = torch.empty(0, dtype=torch.int64)
FLAT = 1e-100  # the range of a column that is constant: to divide by less overflows


def one_series(table: Table, request: Request, *, drops_constant: bool) -> Data:
    """The windows of a table of one series; drops_constant: leave out channels that are constant over training rows."""
    known = match_known(table, request.known, request.targets) if request.known else ()
    chosen, target_names = choose_columns(table, request.channels, request.targets, known)
    future = None
    if known:
        table, future = split_future(table, known, chosen)
    positions = tuple(chosen.index(name) for name in target_names)
    policy = table.missing if request.missing is None else request.missing
    lookback, horizon, fold = request.lookback, request.horizon, request.fold
    cleaned = clean(table.select(chosen), chosen, policy, table.source)
    time = table.time[cleaned.is_used] if table.time is not None else None
    whole = split_rows(request.split, len(cleaned.values), time)
    bounds = split_of_fold(whole, fold)
    is_whole = policy == "skip"
    gaps = cleaned.is_filled if is_whole else cleaned.is_filled[:, list(positions)]
    every, is_every_filled = cleaned.values[: whole.test_end], gaps[: whole.test_end]
    values, is_filled = every[: bounds.test_end], np.any(is_every_filled[: bounds.test_end], axis=1)
    _check_folds(whole, fold, horizon)
    check_parts(bounds, lookback, horizon, len(values))

    def complete(values: np.ndarray, first: int, end: int) -> np.ndarray:
        """These rows; with skip those that are whole, since nothing is made up, for the scaler neither."""
        return values[first:end][~is_filled[first:end]] if is_whole else values[first:end]

    train_values = complete(values, bounds.train_start, bounds.train_end)
    first_values = complete(values, 0, whole.train_end)
    if is_whole and len(train_values) < 2:
        raise Unusable(f"no two training rows of {table.source} are complete: choose --missing mask, or --channels")
    constant = [name for name, column in zip(chosen, first_values.T, strict=True) if np.ptp(column) <= FLAT]
    for name, position in zip(target_names, positions, strict=True):
        if name in constant:
            raise Unusable(
                f"target '{name}' of {table.source} is constant ({first_values[0, position]:g}) over the "
                f"{whole.train_end} training rows: nothing to learn; choose another target or split"
            )
    if constant and drops_constant:  # without them other rows may be complete, so all begins again
        varying = [name for name in chosen if name not in constant]
        data = one_series(table, replace(request, targets=target_names, channels=varying), drops_constant=True)
        note = f"constant over the training rows, so no model sees them: {', '.join(constant)}"
        return replace(data, notes=(*data.notes, note))
    if request.scaler in MAPS:
        check_positive(request.scaler, values, [f"'{name}' of {table.source}" for name in chosen])
    outliers = fit_outliers(request.outliers, train_values)
    if outliers is not None and len(train_values) < (needed := outliers.rows_before + lookback + horizon):
        raise Unusable(
            f"too few rows: outliers hampel looks at the {outliers.rows_before} rows before a value, so the train part "
            f"needs {needed}, and has {len(train_values)}; choose --outliers clip"
        )
    read = values if outliers is None else outliers.cleaned(values)
    fitted = fit_scaler(request.scaler, complete(read, bounds.train_start, bounds.train_end))
    units = fit_units(target_names, positions, fitted, first_values)
    scaled = torch.from_numpy(fitted.scaled(values))
    inputs = None if outliers is None else torch.from_numpy(fitted.scaled(read))

    if request.conformal and bounds.valid_end == bounds.train_end:
        raise InputError("conformal quantiles are calibrated on the validation part, and the split leaves it empty")
    problem = Problem(lookback, len(chosen), positions, (horizon, len(positions)), request.normalise)
    known_scaler = None
    if numbers := known_numbers(table, known):
        past = table.select(numbers)[cleaned.is_used][bounds.train_start : bounds.train_end]
        known_scaler = fit_scaler("standard" if request.scaler in MAPS else request.scaler, past)
    masked: tuple[str, ...] = ()
    if policy == "mask":
        masked = _masked(chosen, cleaned.is_filled[: whole.train_end], everywhere=not drops_constant)
    further = further_channels(
        table, cleaned, chosen, time, horizon=horizon, calendar=request.calendar, known=known, future=future,
        known_scaler=known_scaler, categories=tuple(table.categories), masked=masked,
    )  # fmt: skip
    if further.values.size:
        plain = torch.from_numpy(further.values[: len(scaled)].astype(np.float32))
        scaled = torch.cat([scaled, plain], dim=1)
        inputs = None if inputs is None else torch.cat([inputs, plain], dim=1)
        counts = tuple(zip(further.coded, map(len, table.categories.values()), strict=True))
        added = tuple(range(len(chosen), scaled.shape[1]))
        problem = replace(problem, channels=scaled.shape[1], plain=added, categories=counts)
    if levels := request.levels:
        shape = (*problem.output_shape, len(levels))
        problem = replace(problem, task="quantile", quantiles=levels, output_shape=shape)
        problem = replace(problem, is_conformal=request.conformal, is_adaptive=request.adaptive)
    if request.is_direction:
        problem = replace(problem, task="direction")
    if request.flat:
        problem = replace(problem, task="move", output_shape=(*problem.output_shape, 3), flat=request.flat)
    beside = (*known, *(name for name in table.categories if name not in known))
    rows = Windows(
        scaled, NO_WINDOWS, lookback, horizon, positions, values, units,
        is_filled=is_filled if is_filled.any() else None, is_direction=request.is_direction, is_whole=is_whole,
        inputs=inputs, flat=flat_of(request.flat) if request.flat else None, limits=limits_of(problem, values, units),
    )  # fmt: skip
    train, valid, test = parts_of(problem, bounds, rows)
    _check_directions(train, target_names)
    return Data(
        problem=problem,
        train=train,
        valid=valid,
        test=test,
        scaler=fitted,
        split=bounds,
        source=table.source,
        channels=chosen,
        targets=target_names,
        fingerprint=fingerprint(
            np.column_stack([every, table.select(beside)[cleaned.is_used][: whole.test_end]]) if beside else every,
            np.any(is_every_filled, axis=1),
        ),
        missing=policy,
        time=time[: whole.test_end] if time is not None else None,
        notes=(
            *table.notes,
            *cleaned.notes,
            *([cleaned_note(outliers.policy, read != values, bounds.parts())] if outliers is not None else []),
            *_classes(target_names, [train_values[:, position] for position in positions]),
            *leaks(train_values, chosen, positions),
            *_left_out(bounds, (train, valid, test)),
        ),
        whole=whole,
        fold=fold,
        only=(str(table.series_column), table.only) if table.only is not None else None,
        calendar=request.calendar,
        known=known,
        known_scaler=known_scaler,
        masked=masked,
        categories=table.categories,
        outliers=outliers,
    )


def choose_columns(
    table: Table, channels: Sequence[str] | None, targets: Sequence[str], known: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The channel and target names as the table spells them; targets must be among the channels, and `known` are none
    of them unless they are named. The only column of a table is its target."""
    if not targets and len(table.numeric) == 1:
        targets = table.numeric
    if not targets:
        raise InputError(
            f"name at least one target column of {table.source} ({', '.join(table.numeric)}): --targets close, or "
            "targets='close' in Python"
        )
    every = [*table.columns, *(name for name in table.unusable if name not in table.columns)]
    usual = tuple(name for name in table.numeric if name not in known)
    chosen = match_columns(channels, every, table.source) if channels else usual
    chosen = tuple(name for name in chosen if name not in table.categories)
    named = match_columns(targets, every, table.source)
    for name in named:
        if name in table.categories:
            raise InputError(f"target '{name}' names kinds, and zoo forecasts numbers: leave it out of --categories")
        problem = table.unusable.get(name, "")
        if name not in table.columns and "holds text" in problem:
            raise InputError(
                f"{problem.split(';')[0]}; a text label is a class, and zoo forecasts numbers: name a numeric target "
                f"({', '.join(table.columns)}), or write the label as a number"
            )
    table.select(named)
    for name in named:
        if name not in chosen:
            raise InputError(
                f"target '{name}' must be among the channels ({', '.join(chosen)}): a forecast starts from its "
                "last value; add it to --channels"
            )
    return chosen, named


def _classes(targets: tuple[str, ...], columns: Sequence[np.ndarray]) -> tuple[str, ...]:
    """A note on each target that looks like a class."""
    classes = [(name, class_values(column)) for name, column in zip(targets, columns, strict=True)]
    return tuple(
        f"target '{name}' is {found[0]:g} or {found[1]:g} in every training row: it looks like a class, and is "
        "forecast as a number; errors and skill are those of the number"
        for name, found in classes
        if found is not None
    )


def _left_out(bounds: Split, parts: tuple[Windows, Windows | None, Windows]) -> tuple[str, ...]:
    """A note on how many windows of each part are left out for a filled target."""
    counts: list[str] = []
    if parts[0].is_filled is None:
        return ()
    for (name, first, end), part in zip(bounds.parts(), parts, strict=True):
        whole = replace(parts[0], is_filled=None).between(first, end)
        left_out = len(whole) - (len(part) if part is not None else 0)
        counts += [f"{left_out} of {len(whole)} {name}"] if left_out else []
    if not counts:
        return ()
    what = "that holds a missing value" if parts[0].is_whole else "with a filled target"
    return (f"a window {what} is neither trained on nor scored: left out {', '.join(counts)} windows",)


def _check_directions(train: Windows, names: tuple[str, ...]) -> None:
    """Raise InputError for a target that moves in one way alone over the training windows."""
    if not train.is_direction and train.flat is None:
        return
    for name, labels in zip(names, np.moveaxis(train.truth(), 2, 0), strict=True):
        only = int(labels[0, 0])
        if np.ptp(labels) > 0:
            continue
        if train.flat is None:
            always = "always rises" if only else "never rises"
            raise Unusable(f"target '{name}' {always} in the training windows: no direction to learn; choose another")
        (way,) = (way for way, move in MOVES.items() if move == only)
        raise Unusable(
            f"target '{name}' always counts as '{way}' in the training windows by this size of flat: no move to learn; "
            "choose another size"
        )


def _masked(channels: tuple[str, ...], is_filled: np.ndarray, *, everywhere: bool) -> tuple[str, ...]:
    """The channels that have gaps in these rows; everywhere: all, since other series may have them elsewhere."""
    return tuple(name for name, gaps in zip(channels, is_filled.T, strict=True) if everywhere or gaps.any())


def _check_folds(whole: Split, fold: Fold, horizon: int) -> None:
    rows = whole.test_end - whole.valid_end
    if fold.count > 1 and rows // fold.count < horizon:
        raise Unusable(
            f"too few rows: {fold.count} folds of the test part's {rows} rows are shorter than the horizon {horizon}; "
            "take fewer folds or a larger test part"
        )
