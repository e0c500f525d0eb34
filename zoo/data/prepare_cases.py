"""prepare_cases: labelled sequences become train, validation and test, each with its share of every class."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from zoo.data.cases import Cases
from zoo.data.dataset import Data
from zoo.data.scaling import Units, fit_scaler
from zoo.data.sequences import Sequences
from zoo.data.split import Split, split_rows
from zoo.errors import InputError, expect, unknown
from zoo.problem import Normalise, Problem

SHARES = (0.6, 0.2, 0.2)  # of train, validation and test
MANY = 10**6  # rows to read the ratio of two shares from


def prepare_cases(cases: Cases, *, split: Sequence[Any], scaler: str, normalise: Normalise) -> Data:
    """Labelled sequences as data to classify.

    Cases of a fixed test part are the test part, and the others are cut in the ratio of the first two shares. Otherwise
    cases are drawn for each part (the same ones at every call), so that each part has its share of every class. The
    scaler is fitted on all steps of the training cases. Raises InputError.
    """
    if normalise == "last":
        raise InputError("normalise must be none or instance where sequences are classified: a class has no last value")
    if normalise not in ("none", "instance"):
        raise unknown("normalise", normalise, ("none", "instance"))
    expect("scaler", scaler, str, "text")
    expect("split", split, (list, tuple), "three shares or three numbers of cases, such as (0.6, 0.2, 0.2)")
    if len(cases.classes) < 2:
        what = (
            f"of the class '{cases.labels[0]}'" if cases.labels[0] else "without a class: name its column with --label"
        )
        raise InputError(f"all cases of {cases.source} are {what}: nothing to tell apart")
    bounds = _bounds(cases, split)
    rank = _ranked(cases)
    parts = [rank[first:end] for _, first, end in bounds.parts()]
    _check_classes(cases, parts[0])
    starts, numbers = np.cumsum(cases.lengths) - cases.lengths, np.repeat(np.arange(len(cases)), cases.lengths)
    is_train_step = np.isin(numbers, parts[0])
    fitted = fit_scaler(scaler, cases.values[is_train_step])
    values = torch.from_numpy(np.ascontiguousarray(fitted.transform(cases.values), dtype=np.float32))
    classes, ones = cases.classes, np.ones(len(cases.classes))
    units = Units(classes, 0 * ones, ones, ones, 0 * ones)
    labels = np.array([classes.index(label) for label in cases.labels])
    shortest, longest = int(cases.lengths.min()), int(cases.lengths.max())

    def part(chosen: np.ndarray) -> Sequences:
        chosen = chosen[np.argsort(cases.lengths[chosen], kind="stable")]
        lengths, indices = cases.lengths[chosen], torch.from_numpy(chosen)
        where = torch.from_numpy(starts)[indices], lengths, torch.from_numpy(labels)[indices]
        return Sequences(values, *where, classes, cases.names[chosen], longest, units, shortest == longest)

    train, valid, test = map(part, parts)
    return Data(
        problem=Problem(
            longest,
            len(cases.channels),
            (),
            (1, len(classes)),
            normalise,
            task="classify",
            shortest=None if shortest == longest else shortest,
        ),
        train=train,
        valid=valid if len(valid) else None,
        test=test,
        scaler=fitted,
        split=bounds,
        whole=bounds,
        source=cases.source,
        channels=cases.channels,
        targets=(cases.label,),
        fingerprint=_fingerprint(cases, rank),
        missing="refuse",
        time=None,
        notes=cases.notes,
        classes=classes,
    )


def _bounds(cases: Cases, split: Sequence[Any]) -> Split:
    """How many cases each part has, as the ends of the parts among the cases in _ranked order."""
    parts = list(split)
    if len(parts) != 3 or any(isinstance(part, bool) or not isinstance(part, int | float) for part in parts):
        raise InputError(f"split must be three shares or three numbers of cases, got {', '.join(map(str, parts))}")
    if not parts[0] > 0:
        raise InputError(f"split leaves no cases to train on, got {', '.join(map(str, parts))}")
    if cases.is_test is None:
        return split_rows(parts, len(cases), None)
    test = int(cases.is_test.sum())
    rest = len(cases) - test
    if any(part > 1 for part in parts):  # numbers of cases, as rows store them
        if sum(parts[:2]) != rest or parts[2] not in (0, test):
            raise InputError(
                f"{cases.source} has {rest} cases beside its test part of {test}: split them as shares, such as "
                f"0.75,0.25,0, or as numbers with that sum, got {', '.join(map(str, parts))}"
            )
        return split_rows([*parts[:2], test], len(cases), None)
    whole = split_rows(parts, MANY, None)
    train = rest * whole.train_end // whole.valid_end
    return Split(train, rest if whole.valid_end > whole.train_end else train, len(cases))


def _ranked(cases: Cases) -> np.ndarray:
    """The cases so that any run of them has its share of every class: the fixed test part last.

    Case k of the n of a class, drawn in an order of its own, stands at (k + u) / n of the way; u is drawn once for each
    class, from 0.25 to 0.75.
    """
    random = np.random.default_rng(0)
    is_test = cases.is_test if cases.is_test is not None else np.zeros(len(cases), dtype=bool)
    places = np.empty(len(cases))
    for label in cases.classes:
        for flag in (False, True):
            own = random.permutation(np.flatnonzero((cases.labels == label) & (is_test == flag)))
            places[own] = (np.arange(len(own)) + random.uniform(0.25, 0.75)) / max(len(own), 1)
    return np.lexsort((places, is_test))


def _check_classes(cases: Cases, train: np.ndarray) -> None:
    for label in cases.classes:
        count = int((cases.labels[train] == label).sum())
        if count < 1:
            raise InputError(
                f"class '{label}' of {cases.source} has no case in the train part: bring more cases of it, or change "
                "the split"
            )


def _fingerprint(cases: Cases, rank: np.ndarray) -> str:
    """SHA-256 over values, lengths and labels, and over which cases go to which part."""
    digest = hashlib.sha256(repr(cases.values.shape).encode())
    digest.update(np.ascontiguousarray(cases.values, dtype="<f8").tobytes())
    digest.update(np.ascontiguousarray(cases.lengths, dtype="<i8").tobytes())
    digest.update("\0".join(cases.labels).encode())
    digest.update(np.ascontiguousarray(rank, dtype="<i8").tobytes())
    return digest.hexdigest()
