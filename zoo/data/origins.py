"""Origins: earlier validation parts of the same rows, each with the rows before it for training."""

from dataclasses import replace

import numpy as np
import torch

from zoo.data.dataset import Data, check_parts, parts_of
from zoo.data.outliers import fit_outliers
from zoo.data.scaling import fit_scaler, fit_units
from zoo.data.sequences import Sequences
from zoo.data.split import Split
from zoo.data.windows import limits_of
from zoo.errors import InputError


def origins(data: Data, count: int) -> list[Data]:
    """The data without test rows `count` times: as they are, and with earlier validation parts of the same length.

    Each validation part ends where the next later one begins, and all rows before it are for training; scaler and units
    are those of these rows, but for columns that are known in advance, which keep theirs. Raises InputError where the
    rows are too few for that many, and for panels and cases.

    Source: Tashman, Out-of-sample tests of forecasting accuracy, International Journal of Forecasting 16 (2000).
    """
    if count == 1:
        return [data]
    if isinstance(data.train, Sequences) or data.panel is not None:
        raise InputError(f"validation over {count} folds is for one series: leave folds out")
    rows = data.split.valid_end - data.split.train_end
    if not rows:
        raise InputError("validation over folds needs a validation part, and the split leaves none")
    earlier = []
    for number in range(1, count):
        end = data.split.valid_end - number * rows
        try:
            earlier.append(_until(data, Split(max(end - rows, 0), end, end)))
        except InputError as error:
            raise InputError(
                f"validation over {count} folds of {rows} rows leaves too little to train on: {error}"
            ) from error
    return [data, *earlier]


def _until(data: Data, bounds: Split) -> Data:
    old, problem = data.train, data.problem
    assert not isinstance(old, Sequences)
    check_parts(bounds, problem.lookback, problem.horizon, bounds.test_end)
    raw = old.raw[: bounds.test_end]
    train = raw[: bounds.train_end]
    if any(np.ptp(column) == 0 for column in train[:, list(problem.targets)].T):
        raise InputError(f"a target is constant over the first {bounds.train_end} rows")
    outliers = data.outliers and fit_outliers(data.outliers.policy, train)
    read = raw if outliers is None else outliers.cleaned(raw)
    scaler = fit_scaler(data.scaler.name, read[: bounds.train_end])
    plain = old.values[: bounds.test_end, raw.shape[1] :]  # what is known in advance stays as it is
    values, inputs = (torch.cat([torch.from_numpy(scaler.scaled(each)), plain], dim=1) for each in (raw, read))
    units = fit_units(data.targets, problem.targets, scaler, train)
    rows = replace(
        old,
        values=values,
        inputs=None if outliers is None else inputs,
        raw=raw,
        units=units,
        limits=limits_of(problem, raw, units),
        is_filled=None if old.is_filled is None else old.is_filled[: bounds.test_end],
    )
    parts = parts_of(problem, bounds, rows)
    time = data.time[: bounds.test_end] if data.time is not None else None
    new = replace(data, train=parts[0], valid=parts[1], test=parts[2], split=bounds, whole=bounds, time=time)
    return replace(new, scaler=scaler, outliers=outliers)
