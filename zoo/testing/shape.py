"""Checks of what a variant can be built as: shapes, corners of its space, and how its size grows."""

import math
from functools import partial

import torch

from zoo.errors import InputError
from zoo.registry import create, variant
from zoo.speed.cost import kept_bytes
from zoo.testing.helpers import BATCH, Broken, NotApplicable, corners, declaration, problem, windows

GROWTH = {"parameters": 0.0, "memory": 1.0}  # exponents in the lookback that need no declaration
SLACK = 0.25  # of an exponent: small terms that do not grow bend it
SHORT, LONG = 128, 1024  # lookbacks between which growth is measured: long, so that a square stands out


@torch.no_grad()
def corners_build(name: str) -> None:
    """every corner of the search space builds and maps [B, L, C] to [B, horizon, targets]"""
    for horizon in (1, 24):
        for channels, targets in ((1, (0,)), (3, (2, 0))):
            small = problem(horizon=horizon, channels=channels, targets=targets, normalise="none")
            for params in corners(name, small):
                where = f"horizon {horizon}, {len(targets)} targets, {_params_text(params)}"
                expected = f"a forecast [{BATCH}, {horizon}, {len(targets)}] with {where}"
                try:
                    forecast = create(name, small, **params).eval()(windows(small))
                except (InputError, ValueError, TypeError, RuntimeError, IndexError) as error:
                    raise Broken(
                        expected, f"{type(error).__name__}: {error}",
                        "ranges of which not every combination works, or a shape that is not problem.output_shape",
                    ) from error  # fmt: skip
                if forecast.shape != (BATCH, horizon, len(targets)):
                    cause = "a head of another shape than problem.output_shape (zoo.layers.head.Head has it)"
                    raise Broken(expected, f"shape {list(forecast.shape)}", cause)
                if not forecast.isfinite().all():
                    raise Broken(f"finite numbers with {where}", "nan or inf", "a division or logarithm of zero")


@torch.no_grad()
def one_step_is_enough(name: str) -> None:
    """a lookback of 1 works"""
    small = problem(lookback=1)
    try:
        forecast = create(name, small).eval()(windows(small))
    except (InputError, ValueError, TypeError, RuntimeError, IndexError, ZeroDivisionError) as error:
        cause = "a kernel, window or period longer than the lookback: pad, or take min(..., problem.lookback)"
        raise Broken("a forecast from one step of lookback", f"{type(error).__name__}: {error}", cause) from error
    if forecast.shape != (BATCH, 3, 1) or not forecast.isfinite().all():
        seen = f"{list(forecast.shape)}" if forecast.isfinite().all() else "nan or inf"
        raise Broken("finite numbers [4, 3, 1] from one step", seen, "a spread of one value, n - 1 = 0")


def growth_is_declared(name: str) -> None:
    """parameters do not grow with the lookback and memory no faster than it, or a limit gives the exponent"""
    sizes = {}
    for lookback in (SHORT, LONG):
        small = problem(lookback=lookback)
        model = create(name, small).train()
        count = sum(parameter.numel() for parameter in model.parameters())
        sizes[lookback] = {
            "parameters": count,
            "memory": kept_bytes(partial(model, windows(small, batch=2)), model.parameters()),
        }
    if not sizes[SHORT]["parameters"]:
        raise NotApplicable("has no parameters")
    for what, usual in GROWTH.items():
        short, long = sizes[SHORT][what], sizes[LONG][what]
        if short == 0:
            continue
        exponent = math.log(long / short) / math.log(LONG / SHORT)
        declared = _exponent(variant(name).limits.get(what), usual)
        if exponent > declared + SLACK:
            shown = f"{short:,} at lookback {SHORT} and {long:,} at {LONG}: lookback^{exponent:.2f}"
            way_out = declaration(what, f"grow as lookback^{math.ceil(exponent - SLACK)}, ...")
            raise Broken(
                f"{what} growing at most as lookback^{declared:g}", shown,
                f"a layer over the flattened window, weights for each pair of steps; {way_out}",
            )  # fmt: skip


def _exponent(declared: str | None, usual: float) -> float:
    """The exponent in a text such as 'grows as lookback^2, ...'."""
    if declared is None or "lookback" not in declared:
        return usual
    power = declared.split("lookback", 1)[1]
    return float(power[1]) if power.startswith("^") and power[1:2].isdigit() else 1.0


def _params_text(params: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items()) or "no parameters"
