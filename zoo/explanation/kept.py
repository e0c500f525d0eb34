"""Kept: the rows of a table as the data of a saved model, with the parts that it was trained and tested on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from zoo.data.cases import Cases
from zoo.data.dataset import Data
from zoo.data.prepare import prepare
from zoo.data.scaling import fit_units
from zoo.data.sequences import Sequences
from zoo.data.table import Table
from zoo.errors import InputError
from zoo.model_file import outliers_of
from zoo.train.store import SavedModel

WHOLE = (1.0, 0.0, 0.0)


def kept_data(saved: SavedModel, table: Table | Cases) -> tuple[Data, bool]:
    """The table as the model sees it, and whether it begins with the rows of the fit.

    Where it does, the parts are those of the fit: train holds what the weights have learned (with --refit all rows of
    the fit), and rows that came later belong to test. Otherwise the parts are not known, all rows are in `train`, and
    the scaler is the model's. Raises InputError for data that the model cannot take.
    """
    file, about, source = saved.file, saved.file.about, table.source
    if isinstance(table, Cases) != bool(file.classes):
        raise InputError(
            f"the model forecasts {', '.join(file.targets)}, and {source} holds sequences to classify"
            if isinstance(table, Cases)
            else f"the model classifies sequences: name the column that tells the cases of {source} apart, with --case"
        )
    rows, learned, counts = (about.get(name) for name in ("rows", "rows_learned", "split"))
    has_learned_all = rows is not None and rows == learned
    if file.classes or file.series:
        given = about.get("split_of_each") if file.series else counts
        data = _prepared(saved, table, given if isinstance(given, list) and not has_learned_all else WHOLE)
        if data.fingerprint != file.fingerprint or not (has_learned_all or given):
            raise InputError(
                f"{source} does not hold exactly the rows of the fit, and a model of "
                f"{'classes' if file.classes else 'several series'} is explained on these so far: name the file of the "
                f"fit ({file.source}), or fit the model again"
            )
        return data, True
    whole = _prepared(saved, table, WHOLE)
    split = [part for part in counts if isinstance(part, int)] if isinstance(counts, list) else []
    if len(split) == 3 and isinstance(rows, int) and isinstance(learned, int) and rows <= whole.rows:
        if split[0] != learned:  # it was trained once more
            split = [learned, rows - learned, 0]
        data = _prepared(saved, table, split)
        if data.fingerprint == file.fingerprint:
            later = whole.rows - rows
            return (_prepared(saved, table, [*split[:2], split[2] + later]) if later else data), True
    return _rescaled(saved, whole), False


def _prepared(saved: SavedModel, table: Table | Cases, split: Sequence[Any]) -> Data:
    file, problem = saved.file, saved.model.problem
    if isinstance(table, Cases):
        if table.channels != file.channels:
            raise InputError(
                f"{table.source} has the channels {', '.join(table.channels)}, the model needs "
                f"{', '.join(file.channels)}"
            )
        return prepare(table, split=split, scaler=file.scaler.name, normalise=problem.normalise)
    data = prepare(
        table,
        targets=file.targets,
        channels=file.channels,
        lookback=problem.lookback,
        horizon=problem.horizon,
        split=split,
        scaler=file.scaler.name,
        normalise=problem.normalise,
        missing=file.missing,
        outliers=file.outliers.policy if file.outliers is not None else "none",
        quantiles=problem.quantiles,
        direction=problem.flat or problem.task == "direction",
        calendar=file.calendar,
        known=file.known,
    )
    if left_out := [name for name in file.channels if name not in data.channels]:
        raise InputError(f"{', '.join(left_out)} of {table.source} never changes, and the model needs values that do")
    return data


def _rescaled(saved: SavedModel, whole: Data) -> Data:
    """The same rows in the scaled units of the model; raises InputError for further channels that are not its own."""
    windows, file = whole.train, saved.file
    assert not isinstance(windows, Sequences)
    if file.known or whole.masked != file.masked:
        what = "inputs known in advance" if file.known else "marks of missing values"
        raise InputError(
            f"{whole.source} does not begin with the rows of the fit, and a model with {what} is explained on these so "
            f"far: name the file of the fit ({file.source})"
        )
    outliers, plain = outliers_of(file.outliers), windows.values[:, windows.raw.shape[1] :]
    read = windows.raw if outliers is None else outliers.cleaned(windows.raw)
    values, inputs = (
        torch.cat([torch.from_numpy(saved.scaler.scaled(each)), plain], dim=1) for each in (windows.raw, read)
    )
    units = fit_units(whole.targets, whole.problem.targets, saved.scaler, windows.raw)
    train = replace(windows, values=values, units=units, inputs=None if outliers is None else inputs)
    return replace(whole, train=train, scaler=saved.scaler, outliers=outliers)
