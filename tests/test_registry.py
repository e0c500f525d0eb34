import subprocess
import sys
from importlib.util import find_spec
from typing import Annotated

import pytest
import torch
from torch import nn

import zoo
from tests.conftest import run_zoo
from zoo import registry
from zoo.space import Choice, Float, Int

BASELINES = ["auto-arima", "auto-ets", "auto-theta"] if find_spec("statsforecast") else []
BASELINES += [
    "dlinear",
    "drift",
    "gradient-boosting",
    "last-sign",
    "linear",
    "moving-average",
    "naive",
    "nlinear",
    "ridge",
]
BASELINES += ["seasonal-naive", "tcn"]


def test_variants_are_listed_with_baselines_last():
    names = zoo.list_models()
    others = names[: -len(BASELINES)]
    assert names[len(others) :] == BASELINES == zoo.list_models(tag="baseline")
    assert others == sorted(others) and {"lstm", "bilstm", "proj-lstm"} <= set(others)
    with pytest.raises(zoo.InputError, match="unknown tag 'basline'; did you mean 'baseline'"):
        zoo.list_models(tag="basline")


def test_unknown_variant_suggests_the_nearest(data):
    with pytest.raises(LookupError, match="unknown variant 'LSMT'; did you mean 'lstm'"):
        zoo.create("LSMT", data.problem)


def test_taken_name_raises_and_names_the_holder():
    class Other(nn.Module):
        pass

    with pytest.raises(zoo.InputError, match="'lstm' is already registered by zoo.models.lstm"):
        registry.register("lstm", summary="", source="")(Other)


def test_weights_follow_the_seed_and_leave_the_global_state(data):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    models = [zoo.create("lstm", data.problem, seed=seed).state_dict() for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(3), expected)
    name = "variant.lstm.weight_hh_l0"
    assert torch.equal(models[0][name], models[1][name])
    assert not torch.equal(models[0][name], models[2][name])


@pytest.mark.parametrize(
    ("name", "params", "rule"),
    [
        ("lstm", {"hiden_size": 8}, "unknown parameter 'hiden_size' of variant 'lstm'; did you mean 'hidden_size'"),
        ("lstm", {"hidden_size": "big"}, "variant 'lstm': hidden_size must be a whole number, got 'big'"),
        ("lstm", {"hidden_size": -1}, "variant 'lstm' cannot be built with hidden_size=-1"),
        ("lstm", {"dropout": 1.5}, "variant 'lstm' cannot be built with .*dropout=1.5"),
        ("proj-lstm", {"proj_size": 64}, "proj_size must be from 1 to hidden_size - 1 = 63, got 64"),
        ("seasonal-naive", {"period": 8}, "period must be from 1 to the lookback 7, got 8"),
        ("moving-average", {"window": 0}, "window must be >= 1, got 0"),
        ("ridge", {"penalty": 0.0}, "penalty must be > 0, got 0.0"),
    ],
)
def test_parameter_that_cannot_be_built_is_refused(data, name, params, rule):
    with pytest.raises(zoo.InputError, match=rule):
        zoo.create(name, data.problem, **params)


@pytest.mark.parametrize("name", ["Mine", "a,b", "mine.py", "all", "", "two words"])
def test_a_name_that_commands_could_not_take_is_refused(name):
    with pytest.raises(zoo.InputError, match="lower case with hyphens"):
        registry.register(name, summary="", source="")


@pytest.mark.parametrize("tags", ["lstm", (1,)])
def test_tags_that_are_not_texts_are_refused(tags):
    with pytest.raises(zoo.InputError, match=r"variant 'mine': tags must be a tuple of texts, \(\"lstm\",\), got "):
        registry.register("mine", summary="", source="", tags=tags)


@pytest.mark.parametrize("limits", ["onnx: why", ("onnx: why",), {"onnx": 1}, {1: "why"}])
def test_limits_that_do_not_map_a_topic_to_a_reason_are_refused(limits):
    with pytest.raises(zoo.InputError, match=r"'mine': limits must map a topic to a reason, \{\"onnx\": \"why\"\}"):
        registry.register("mine", summary="", source="", limits=limits)


@pytest.fixture
def register():
    """Registers a class as `mine`, for one test."""
    return registry.register("mine", summary="", source="")


def ranged(kind, span, default=None):
    """A class with one hyperparameter, `size`."""

    class Ranged(nn.Module):
        def __init__(self, _problem, *, size: Annotated[kind, span] = default):  # noqa: ARG002
            super().__init__()

    return Ranged


@pytest.mark.parametrize(
    ("kind", "span", "rule"),
    [
        (int, Int(256, 16), "the range of size is empty: low must be <= high, got 256:16"),
        (float, Float(0.5, 0.0), "the range of size is empty: low must be <= high, got 0.5:0.0"),
        (int, Int(0, 8, log=True), "the range of size: a log scale needs low > 0, got 0"),
        (float, Float(-1.0, 1.0, log=True), "the range of size: a log scale needs low > 0, got -1.0"),
        (str, Choice(), r"the range of size is empty: give at least one value, Choice\("),
        (int, Int(1.5, 3), "the range of size: low and high must be whole numbers, got 1.5 and 3"),
        (float, Float(0.0, float("inf")), "the range of size: low and high must be finite numbers, got 0.0 and inf"),
        (int, Int("a", "b"), "the range of size: low and high must be whole numbers, got 'a' and 'b'"),
        (str, Int(1, 8), "the range of size: size must be text, got 1"),
        (int, Float(1.0, 8.0), "the range of size is a Float, and size must be a whole number: use Int"),
        (int, Choice(8, "big"), "the range of size: size must be a whole number, got 'big'"),
        (int, Int(8, 64, step=0), "the range of size: step must be a whole number >= 1, got 0"),
        (int, Int(8, 64, step=1.5), "the range of size: step must be a whole number >= 1, got 1.5"),
        (int, Int(8, 64, log=True, step=8), "the range of size: a log scale takes no step, got step 8"),
        (int, Int(8, 30, step=8), "the range of size: steps of 8 from 8 do not meet 30; the last one is 24"),
    ],
)
def test_a_range_that_cannot_be_searched_is_refused_when_registered(register, kind, span, rule):
    with pytest.raises(zoo.InputError, match=f"^variant 'mine': {rule}") as caught:
        register(ranged(kind, span))
    assert "\n" not in str(caught.value) and "mine" not in zoo.list_models()


@pytest.mark.parametrize(
    ("space", "rule"),
    [
        (lambda _: None, r"a search space is a dict such as \{\"hidden_size\": Int\(16, 256\)\}, got None"),
        (lambda _: {}["absent"], "must return ranges by name, and raised KeyError: 'absent'"),
        (lambda: {}, "must return ranges by name, and raised .* takes 0 positional arguments but 1 was given"),
        (lambda _: sys.exit(3), "must return ranges by name, and raised SystemExit: 3"),
        (lambda _: {"size": (1, 8)}, r"the range of size must be an Int, a Float or a Choice, got \(1, 8\)"),
        (lambda _: {"sise": Int(1, 8)}, "unknown parameter 'sise' of variant 'mine': .*; did you mean 'size'"),
        (lambda _: {"size": Int(8, 1)}, "the range of size is empty"),
        ("no method", "must return ranges by name, and raised 'str' object is not callable"),
    ],
)
def test_a_space_method_that_gives_no_ranges_is_refused_when_registered(register, space, rule):
    build = ranged(int, Int(1, 8), 4)
    build.space = staticmethod(space) if callable(space) else space
    with pytest.raises(zoo.InputError, match=rule) as caught:
        register(build)
    assert "variant 'mine'" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("default", "rule"),
    [
        ([1, 2], "the default of size must be a number, text, true or false, None or a tuple of these, got \\[1, 2\\]"),
        (float("nan"), "the default of size must be a finite number, got nan"),
    ],
)
def test_a_default_that_rows_cannot_store_is_refused(register, default, rule):
    with pytest.raises(zoo.InputError, match=rule):
        register(ranged(int, Int(1, 8), default))


def test_a_hyperparameter_needs_a_default(register):
    class Needy(nn.Module):
        def __init__(self, _problem, *, size: int):  # noqa: ARG002
            super().__init__()

    with pytest.raises(zoo.InputError, match="variant 'mine': size needs a default, size: ... = 64"):
        register(Needy)


def test_an_annotation_that_does_not_resolve_is_refused_when_registered(register):
    class Unresolved(nn.Module):
        def __init__(self, _problem: "Problem", *, size: "Annotated[int, Int(1, 8)]" = 4):  # noqa: ARG002, F821
            super().__init__()

    with pytest.raises(zoo.InputError, match="mine': an annotation of __init__ does not resolve .*'Problem' is not"):
        register(Unresolved)


@pytest.mark.parametrize("build", [lambda _: nn.LSTM(1, 1), object, nn.LSTM(1, 1)])
def test_what_is_no_module_class_is_refused(register, build):
    with pytest.raises(zoo.InputError, match="variant 'mine' must be a class that extends torch.nn.Module, got "):
        register(build)


def test_a_loss_method_is_refused_because_nothing_would_call_it(register):
    class WithLoss(nn.Module):
        def loss(self, forecast, y):
            return (forecast - y).abs().mean()

    with pytest.raises(zoo.InputError, match=r"method loss would never be called; .*fit\.loss .*: remove or rename it"):
        register(WithLoss)


def test_two_classes_with_one_name_are_refused_even_in_one_file(register):
    register(ranged(int, Int(1, 8), 4))
    with pytest.raises(zoo.InputError, match="variant 'mine' is already registered by .*test_registry; choose another"):
        register(ranged(int, Int(1, 9), 4))
    assert registry.variant("mine").space == {"size": Int(1, 8)}


def test_a_notebook_replaces_its_own_variant_and_no_other(register):
    def again(name, build):
        registry.register(name, summary="", source="", replace=True)(build)

    register(ranged(int, Int(1, 8), 4))
    again("mine", ranged(int, Int(1, 9), 4))
    assert registry.variant("mine").space == {"size": Int(1, 9)}
    with pytest.raises(zoo.InputError, match="variant 'lstm' is already registered by zoo.models.lstm; choose another"):
        again("lstm", ranged(int, Int(1, 9), 4))


NOTEBOOK = """
import zoo
from torch import nn

def cell(name, **how):
    class Mine(nn.Module):
        pass
    try:
        zoo.register(name, summary="", source="", **how)(Mine)
    except zoo.InputError as error:
        print(error)

cell("lstm")
cell("mine")
cell("mine")
cell("mine", replace=True)
print("mine" in zoo.list_models(), zoo.variant("lstm").build.__name__)
"""


@pytest.mark.process
def test_a_known_name_is_refused_before_anything_was_listed_and_in_a_console():
    ended = subprocess.run([sys.executable, "-c", NOTEBOOK], capture_output=True, text=True, check=False)
    lstm, mine, last = ended.stdout.splitlines()
    assert lstm == "variant 'lstm' is already registered by zoo.models.lstm; choose another name"
    assert mine.startswith("variant 'mine' is already registered by __main__;") and "replace=True" in mine
    assert (last, ended.returncode) == ("True LSTM", 0), ended.stderr


@pytest.mark.process
def test_a_file_whose_search_space_is_wrong_is_one_line(tmp_path):
    text = "import zoo\nfrom torch import nn\n@zoo.register('mine', summary='', source='')\nclass Mine(nn.Module):\n"
    (tmp_path / "mine.py").write_text(text + "    def space(self): return None\n")
    ended = run_zoo("list", tmp_path / "mine.py")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "mine.py: variant 'mine': space(problem): a search space is a dict" in ended.stderr


@pytest.mark.parametrize("error", [KeyError("absent"), AttributeError("absent"), AssertionError(), SystemExit(3)])
def test_any_error_of_a_variant_that_is_built_is_one_line(register, data, error):
    class Failing(nn.Module):
        def __init__(self, _problem):
            raise error

    register(Failing)
    with pytest.raises(zoo.InputError, match=f"'mine' cannot be built with no parameters: {type(error).__name__}: "):
        zoo.create("mine", data.problem)


def test_a_lazy_layer_is_refused_with_the_way_out(data):
    class Lazy(nn.Module):
        def __init__(self, problem):
            super().__init__()
            self.layer = nn.LazyLinear(problem.horizon)

    registry.register("lazy", summary="", source="")(Lazy)
    with pytest.raises(zoo.InputError, match="'lazy' has a lazy layer: give its input size"):
        zoo.create("lazy", data.problem)
