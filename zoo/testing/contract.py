"""The contract: all checks in order, as results to read or as tests of pytest."""

import time
import unittest
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import unknown
from zoo.registry import from_file, variant
from zoo.testing import export, function, shape, training
from zoo.testing.helpers import Broken, NotApplicable, WrongShape
from zoo.timeout import time_limit

CHECKS: dict[str, Callable[[str], None]] = {
    "corners": shape.corners_build,
    "one-step": shape.one_step_is_enough,
    "quantiles": shape.quantiles_rise,
    "classes": shape.classes_are_told_apart,
    "batch": function.batch_does_not_matter,
    "calls": function.calls_leave_nothing_behind,
    "first-step": function.first_step_matters,
    "last-step": function.last_step_matters,
    "future": function.future_does_not_matter,
    "seeds": function.seeds_decide,
    "weights": function.weights_are_all,
    "gradients": training.gradients_reach_everything,
    "learning": training.batch_can_be_learned,
    "float64": training.float64_works,
    "bfloat16": training.bfloat16_works,
    "gpu": training.gpu_agrees,
    "growth": shape.growth_is_declared,
    "compile": export.compiles,
    "onnx": export.exports,
}


@dataclass(frozen=True)
class Result:
    """The outcome of a check: status holds, fails or skipped; text: what held, what broke, or why it was skipped."""

    check: str
    status: str
    text: str
    seconds: float


def check(
    name: str,
    only: Iterable[str] | None = None,
    on_result: Callable[[Result], None] = lambda _: None,
    *,
    timeout: float | None = None,
) -> list[Result]:
    """Run the checks (all, or those named) on a registered variant; an error of any kind fails its check only.

    After a forecast of the wrong shape the others are skipped. timeout: seconds after which a check is ended and fails.
    Raises UnknownName for an unknown variant or check.
    """
    variant(name)
    chosen = list(CHECKS) if only is None else list(only)
    for each in chosen:
        if each not in CHECKS:
            raise unknown("check", each, CHECKS)
    results, has_shape = [], True
    for each in chosen:
        began = time.perf_counter()
        status, text = "holds", what_holds(each)
        try:
            if not has_shape:
                raise NotApplicable("not run, because the shape of a forecast is wrong")
            with time_limit(timeout):
                run_check(name, each)
        except Broken as broken:
            status, text, has_shape = "fails", str(broken), not isinstance(broken, WrongShape)
        except NotApplicable as reason:
            status, text = "skipped", str(reason)
        except (Exception, SystemExit) as error:  # a variant may raise anything
            status, text = "fails", f"expected that {what_holds(each)}; saw {type(error).__name__}: {error}"
        results.append(Result(each, status, text, time.perf_counter() - began))
        on_result(results[-1])
    return results


def run_check(name: str, each: str) -> None:
    """Run one check on a variant; one that only classifies has no other than `classes`."""
    if variant(name).is_classifier and each != "classes":
        raise NotApplicable("classifies whole sequences, and forecasts nothing")
    CHECKS[each](name)


def what_holds(name: str) -> str:
    """A check in words."""
    return " ".join((CHECKS[name].__doc__ or "").split())


class VariantContract:
    """The contract as tests: subclass it in a test file, name the variant, and pytest runs one test for each check.

    class TestMine(VariantContract):
        variant = "my-lstm"
        file = "my_lstm.py"      # where the variant is not installed; relative to where pytest runs
    """

    variant: str
    file: str | Path | None = None

    def _run(self, name: str) -> None:
        if self.file is not None:
            from_file(self.file)
        try:
            run_check(self.variant, name)
        except NotApplicable as reason:
            raise unittest.SkipTest(str(reason)) from reason  # pytest skips on it too, and need not be imported


def _test_of(name: str) -> Callable[[Any], None]:
    def test(self: Any) -> None:
        self._run(name)

    test.__doc__ = what_holds(name)
    return test


for _name in CHECKS:
    setattr(VariantContract, f"test_{_name.replace('-', '_')}", _test_of(_name))
