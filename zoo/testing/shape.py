"""Checks of what a variant can be built as: shapes, corners of its space, and how its size grows."""

import itertools
import math
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from zoo.errors import Unsuitable
from zoo.layers.normalised import Solvable
from zoo.problem import Problem
from zoo.registry import check_forecast, create, variant
from zoo.testing.helpers import (
    BATCH,
    CHANNELS,
    LOOKBACK,
    Broken,
    NotApplicable,
    WrongShape,
    corners,
    declaration,
    expecting,
    inner_points,
    problem,
    require_same,
    shake,
    shaken,
    windows,
)
from zoo.throughput.cost import saved_bytes

GROWTH = {"parameters": 0.0, "memory": 1.0}  # exponents in the lookback that need no declaration
SLACK = 0.25  # of an exponent: small terms that do not grow bend it
LEVELS = (0.1, 0.5, 0.9)
CLASSES = 3
SHORT, LONG = 128, 1024  # lookbacks between which growth is measured: long, so that a square stands out


@torch.no_grad()
def corners_build(name: str) -> None:
    """every corner of the search space, and a sample from inside it, maps [B, L, C] to [B, horizon, targets]"""
    cause = "ranges of which not every combination works, or a head of another shape than problem.output_shape"
    for horizon, (channels, targets) in itertools.product((1, 24), ((1, (0,)), (3, (2, 0)))):
        small = problem(horizon=horizon, channels=channels, targets=targets, normalise="none")
        for params in corners(name, small):
            where = f"with horizon {horizon}, {len(targets)} targets, {_text(params)}"
            _require_forecast(name, small, params, where, cause)
    for params in inner_points(name, problem()):
        _require_forecast(name, problem(), params, f"with {_text(params)}", cause)


def _text(params: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in params.items()) or "no parameters"


@torch.no_grad()
def one_step_is_enough(name: str) -> None:
    """a lookback of 1 works"""
    cause = (
        "a kernel, window or period longer than the lookback (pad, or take min(..., problem.lookback)), "
        "or a spread of one value, n - 1 = 0"
    )
    _require_forecast(name, problem(lookback=1), {}, "from one step of lookback", cause)


@torch.no_grad()
def quantiles_rise(name: str) -> None:
    """quantiles of several targets have the shape [B, horizon, targets, quantiles] and never cross"""
    small = problem(targets=(1, 0))
    small = replace(small, task="quantile", quantiles=LEVELS, output_shape=(*small.output_shape, len(LEVELS)))
    expected = f"a forecast {[BATCH, *small.output_shape]} that does not fall along the quantiles"
    cause = "a fixed number of outputs, or targets read elsewhere than from problem: a target stands there once a level"
    with expecting(expected, cause):
        model, x = shaken(name, small)
        forecast = model(x)
    if list(forecast.shape) != [BATCH, *small.output_shape]:
        raise Broken(expected, f"shape {list(forecast.shape)}", cause)
    if not forecast.isfinite().all() or (forecast.diff(dim=3) < 0).any():
        raise Broken(expected, "nan, inf or crossing quantiles", cause)


def classes_are_told_apart(name: str) -> None:
    """classes of sequences get scores [B, 1, classes], the same whatever else is in the batch"""
    small = Problem(LOOKBACK, CHANNELS, (), (1, CLASSES), "none", task="classify")
    expected = f"scores {[BATCH, 1, CLASSES]}, finite, and the same for a sequence alone"
    cause = "a fixed number of outputs, targets read elsewhere than from problem, or statistics over the batch"
    with expecting(expected, cause):
        try:
            model = create(name, small)
        except Unsuitable as error:
            raise NotApplicable(str(error.__cause__)) from error
        x = windows(small)
        if isinstance(model.variant, Solvable):
            cases = windows(small, 6 * CLASSES)
            is_class = functional.one_hot(torch.arange(len(cases)) % CLASSES, CLASSES).float()[:, None]
            with torch.no_grad():
                model.variant.solve(lambda: [(cases, is_class)], None)
        shake(model)
        check_forecast(model, x, f"variant '{name}'")  # before anything could be broadcast
        with torch.no_grad():
            scores, alone = model.eval()(x), model(x[:1])
    if list(scores.shape) != [BATCH, 1, CLASSES] or not scores.isfinite().all():
        raise Broken(expected, f"shape {list(scores.shape)}, finite: {bool(scores.isfinite().all())}", cause)
    require_same(scores[:1], alone, expected, cause, tolerance=1e-4)


def _require_forecast(name: str, small: Problem, params: dict[str, Any], where: str, cause: str) -> None:
    shape = [BATCH, *small.output_shape]
    expected = f"a forecast {shape} {where}"
    with expecting(expected, cause):
        forecast = create(name, small, **params).eval()(windows(small))
    if list(forecast.shape) != shape:
        raise WrongShape(expected, f"shape {list(forecast.shape)}", cause)
    if not forecast.isfinite().all():
        raise Broken(expected, "nan or inf", f"a division or logarithm of zero, or {cause}")


def growth_is_declared(name: str) -> None:
    """parameters do not grow with the lookback and memory no faster than it, or a limit gives the exponent"""
    sizes: dict[str, list[int]] = {size: [] for size in GROWTH}  # at the short and the long lookback
    for lookback in (SHORT, LONG):
        model = create(name, problem(lookback=lookback)).train()
        x = windows(model.problem, batch=2)
        sizes["parameters"].append(sum(parameter.numel() for parameter in model.parameters()))
        sizes["memory"].append(saved_bytes(partial(model, x), model.parameters()))
    if not sizes["parameters"][0]:
        raise NotApplicable("has no parameters")
    for size, usual in GROWTH.items():
        short, long = sizes[size]
        exponent = math.log(long / short) / math.log(LONG / SHORT) if short else 0.0
        declared = _exponent(variant(name).limits.get(size), usual)
        if exponent > declared + SLACK:
            way_out = declaration(size, f"grow as lookback^{math.ceil(exponent - SLACK)}, ...")
            raise Broken(
                f"{size} growing at most as lookback^{declared:g}",
                f"{short:,} at lookback {SHORT} and {long:,} at {LONG}: lookback^{exponent:.2f}",
                f"a layer over the flattened window, weights for each pair of steps; {way_out}",
            )


def _exponent(declared: str | None, usual: float) -> float:
    """The exponent in a text such as 'grows as lookback^2, ...'."""
    if declared is None or "lookback" not in declared:
        return usual
    power = declared.split("lookback", 1)[1]
    return float(power[1]) if power.startswith("^") and power[1:2].isdigit() else 1.0
