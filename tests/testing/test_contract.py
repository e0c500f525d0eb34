"""The checker is checked: for each check a variant that breaks it and is rejected, and why."""

import re
import subprocess
import sys
import unittest
from types import MappingProxyType
from typing import Annotated

import numpy as np
import pytest
import torch
from torch import nn

from zoo import registry
from zoo.layers.head import Head
from zoo.space import Int
from zoo.testing import CHECKS, VariantContract, check


class Right(nn.Module):
    """A variant with nothing wrong; the others differ in one thing."""

    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16):
        super().__init__()
        self.problem = problem
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x):
        return self.head(self.lstm(self.before(x))[0][:, -1])

    def before(self, x):
        return x


class CornerThatCannotBeBuilt(Right):
    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16, heads: Annotated[int, Int(1, 3)] = 1):
        super().__init__(problem, hidden_size=hidden_size)
        if hidden_size % heads:
            raise ValueError(f"heads {heads} do not divide {hidden_size}")


class FailsForOddSizes(Right):
    """The ends of its range are even."""

    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16):
        super().__init__(problem, hidden_size=hidden_size)
        if hidden_size % 2:
            raise ValueError(f"no half of {hidden_size}")


class WrongShape(Right):
    def forward(self, x):
        return super().forward(x).squeeze(-1)


class CountsItsColumns(Right):
    """Several quantiles of a column are several outputs, though the column is one."""

    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16):
        super().__init__(problem, hidden_size=hidden_size)
        self.head = Head(hidden_size, (problem.horizon, len(set(problem.targets))))


class KernelLongerThanTheWindow(Right):
    def before(self, x):
        return x.unfold(1, 3, 1).mean(-1)


class MeanOverTheBatch(Right):
    def before(self, x):
        return x - x.mean(dim=0)


class TimeFirst(Right):
    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16):
        super().__init__(problem, hidden_size=hidden_size)
        self.lstm = nn.LSTM(problem.channels, hidden_size)


class KeepsItsState(Right):
    seen = 0.0

    def before(self, x):
        self.seen, before = 0.5 * self.seen + x.detach().mean(), self.seen
        return x + before


class MissesTheFirstStep(Right):
    def before(self, x):
        return x[:, 1:] if x.shape[1] > 1 else x


class MissesTheLastStep(Right):
    def before(self, x):
        return x[:, :-1] if x.shape[1] > 1 else x


class DrawsElsewhere(Right):
    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16):
        super().__init__(problem, hidden_size=hidden_size)
        values = np.random.normal(size=tuple(self.lstm.weight_hh_l0.shape))  # noqa: NPY002
        self.lstm.weight_hh_l0.data = torch.from_numpy(values).float()


class SeedsItself(Right):
    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16):
        torch.manual_seed(0)
        super().__init__(problem, hidden_size=hidden_size)


class KeepsATensorToItself(Right):
    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16):
        super().__init__(problem, hidden_size=hidden_size)
        self.mask = torch.randn(problem.channels)

    def before(self, x):
        return x * self.mask.to(x)


class UnusedLayer(Right):
    def __init__(self, problem, *, hidden_size: Annotated[int, Int(8, 16)] = 16):
        super().__init__(problem, hidden_size=hidden_size)
        self.other = nn.Linear(2, 2)


class OneNumberForAll(nn.Module):
    def __init__(self, problem):
        super().__init__()
        self.level = nn.Parameter(torch.ones(problem.output_shape))

    def forward(self, x):
        return self.level.expand(len(x), *self.level.shape)


class FixedDtype(Right):
    def before(self, x):
        return torch.cat([x[:, :1], x], dim=1) @ torch.eye(x.shape[-1], dtype=torch.float32, device=x.device)


class MixesDtypes(Right):
    def forward(self, x):
        states = self.lstm(x)[0][:, -1]
        states_again = x.new_zeros(states.shape)
        states_again.index_copy_(0, torch.arange(len(x)), states)
        return self.head(states_again)


class OnTheCpu(Right):
    def before(self, x):
        return x + torch.ones(x.shape[-1])


class FlattensTheWindow(nn.Module):
    def __init__(self, problem):
        super().__init__()
        self.head = Head(problem.lookback * problem.channels, problem.output_shape)

    def forward(self, x):
        return self.head(x.flatten(1))


class PairsOfSteps(Right):
    def forward(self, x):
        states = self.lstm(x)[0]
        pairs = (states @ states.mT).softmax(-1)
        return self.head((pairs @ states)[:, -1])


class LearnsOutsideItsWeights(Right):
    level = 0.0

    def before(self, x):
        if self.training:
            self.level = 0.9 * self.level + 0.1 * x.detach().mean()
        return x + self.level


class SolvesIntoAnAttribute(nn.Module):
    def __init__(self, problem):
        super().__init__()
        self.shape, self.level = problem.output_shape, torch.zeros(problem.output_shape)
        self.weight = nn.Parameter(torch.zeros(1))

    def solve(self, train, _):
        self.level = torch.cat([y for _, y in train()]).mean(0)

    def forward(self, x):
        return self.level.to(x).expand(len(x), *self.shape) + self.weight


class ChangesItsInput(Right):
    def before(self, x):
        return x if torch.is_grad_enabled() else x.mul_(2)


class AnotherFunctionWhenCompiled(Right):
    def before(self, x):
        return 2 * x if torch.compiler.is_compiling() else x


class LooksAtItsValues(Right):
    def before(self, x):
        return x if float(x.detach().sum()) > 0 else 2 * x


LACKING = () if torch.ops.mkldnn._is_mkldnn_bf16_supported() else ("bfloat16",)  # checks that this CPU skips
WRONG = [
    ("corners", CornerThatCannotBeBuilt, "heads 3 do not divide"),
    ("corners", FailsForOddSizes, "no half of"),
    ("corners", WrongShape, r"saw shape \[4, 1\]"),
    ("one-step", KernelLongerThanTheWindow, "one step of lookback"),
    ("quantiles", CountsItsColumns, "does not fall along the quantiles"),
    ("classes", CountsItsColumns, r"got shape \[4, 1, 1\]"),
    ("classes", MeanOverTheBatch, "the same for a sequence alone"),
    ("batch", MeanOverTheBatch, "in a batch and alone"),
    ("batch", TimeFirst, "without batch_first"),
    ("calls", KeepsItsState, "that survives a call"),
    ("first-step", MissesTheFirstStep, "when the first step of the window changes"),
    ("last-step", MissesTheLastStep, "when the last step of the window changes"),
    ("future", MeanOverTheBatch, "when only later rows change"),
    ("seeds", DrawsElsewhere, "weight_hh_l0 differs"),
    ("seeds", SeedsItself, "a seed set in the constructor"),
    ("weights", KeepsATensorToItself, "after loading"),
    ("weights", LearnsOutsideItsWeights, "after loading"),
    ("weights", SolvesIntoAnAttribute, "after loading"),
    ("calls", ChangesItsInput, "its input as it was"),
    ("gradients", UnusedLayer, "saw none on other.weight"),
    ("learning", OneNumberForAll, "of the first loss within"),
    ("float64", FixedDtype, "float64"),
    ("bfloat16", MixesDtypes, "bfloat16"),
    ("growth", FlattensTheWindow, r"parameters growing .* declare limits=\{\"parameters\": \"grow as lookback\^1"),
    ("growth", PairsOfSteps, r"memory growing .* declare limits=\{\"memory\": \"grow as lookback\^2"),
    ("compile", AnotherFunctionWhenCompiled, "the same forecast compiled and not"),
    ("onnx", LooksAtItsValues, "an ONNX model that runs"),
]


@pytest.fixture
def registered():
    """Registers a class under a name of its own, for one test."""

    def put(build, limits=MappingProxyType({}), tags=("lstm",)):
        registry.register("under-test", summary="", source="", tags=tags, limits=limits)(build)
        return "under-test"

    return put


def test_every_check_has_a_wrong_variant():
    assert {name for name, *_ in WRONG} | {"gpu"} == set(CHECKS)


@pytest.mark.slow
def test_nothing_is_said_of_a_variant_with_nothing_wrong(registered):
    results = check(registered(Right))
    assert {result.status for result in results if result.check not in ("gpu", *LACKING)} == {"holds"}


@pytest.mark.parametrize(("name", "build", "why"), WRONG, ids=[f"{name}-{build.__name__}" for name, build, _ in WRONG])
def test_a_wrong_variant_is_rejected_with_the_reason(registered, name, build, why):
    if name in LACKING:
        pytest.skip("this CPU has no bfloat16 recurrences")
    (result,) = check(registered(build), only=[name])
    assert result.status == "fails"
    assert "expected" in result.text and "saw" in result.text and "usual cause" in result.text

    assert re.search(why, result.text), result.text


@pytest.mark.gpu
def test_a_variant_that_stays_on_the_cpu_is_rejected(registered):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    (result,) = check(registered(OnTheCpu), only=["gpu"])
    assert result.status == "fails" and "created on the CPU" in result.text


@pytest.mark.parametrize(
    ("name", "build", "limits"),
    [
        ("first-step", MissesTheFirstStep, {"first step": "it is the oldest"}),
        ("last-step", MissesTheLastStep, {"last step": "it comes too late"}),
        ("growth", PairsOfSteps, {"memory": "grows as lookback^2, each step looks at each"}),
        ("growth", FlattensTheWindow, {"parameters": "grow as lookback, one for each value"}),
        ("seeds", SeedsItself, {"seeds": "it starts at fixed weights"}),
        ("compile", AnotherFunctionWhenCompiled, {"compile": "it notices"}),
        ("onnx", LooksAtItsValues, {"onnx": "it looks at its values"}),
    ],
)
def test_a_declared_limit_is_not_a_failure(registered, name, build, limits):
    (result,) = check(registered(build, limits=limits), only=[name])
    assert result.status in ("holds", "skipped")


@pytest.mark.parametrize("build", [Right, OneNumberForAll])
def test_a_tag_that_is_wrong_is_rejected(registered, build):
    (result,) = check(registered(build, tags=("deterministic",)), only=["seeds"])
    assert result.status == "fails" and "as the tag deterministic says" in result.text


def test_checks_leave_the_random_state_alone(registered):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    check(registered(Right), only=["gradients", "learning", "weights", "future"])
    assert torch.equal(torch.rand(1), expected)


def test_a_declared_growth_is_a_limit_too(registered):
    (result,) = check(registered(PairsOfSteps, limits={"memory": "grows as lookback"}), only=["growth"])
    assert result.status == "fails"


def test_an_error_of_any_kind_fails_its_check_alone(registered):
    class Boom(Right):
        def forward(self, x):
            if x.dtype == torch.float64:
                raise KeyError("boom")
            return super().forward(x)

    statuses = {result.check: result.status for result in check(registered(Boom), only=["float64", "batch"])}
    assert statuses == {"float64": "fails", "batch": "holds"}


def test_after_a_wrong_shape_no_other_check_runs(registered):
    results = check(registered(WrongShape))
    assert results[0].status == "fails"
    assert {(result.status, result.text) for result in results[1:]} == {
        ("skipped", "not run, because the shape of a forecast is wrong")
    }


def test_a_check_that_does_not_end_is_ended(registered):
    class Loops(Right):
        def forward(self, _):
            while True:
                pass

    results = check(registered(Loops), only=["batch", "future"], timeout=0.2)
    assert [result.status for result in results] == ["fails", "fails"]
    assert all("took longer than 0.2 s (--cell-timeout)" in result.text for result in results)


def test_the_class_has_a_test_for_each_check_and_skips_what_does_not_apply():
    class TestNaive(VariantContract):
        variant = "naive"

    names = [name for name in dir(TestNaive) if name.startswith("test_")]
    assert len(names) == len(CHECKS)
    TestNaive().test_batch()
    with pytest.raises(unittest.SkipTest, match="only the last one counts"):
        TestNaive().test_first_step()


@pytest.mark.process
def test_the_contract_needs_no_pytest():
    code = "import sys, zoo.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
