from typing import Annotated, Literal

import pytest

from zoo.errors import InputError, UnknownName
from zoo.space import Choice, Float, Int, parameters_of, range_text, ranges_of, resolve


class Example:
    def __init__(
        self,
        problem: object,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.1,
        kind: Annotated[Literal["a", "b"], Choice("a", "b")] = "a",
        penalty: Annotated[float | None, Float(1e-7, 10.0)] = None,
        plain: bool = False,
    ) -> None: ...


def test_ranges_are_read_off_the_signature():
    assert ranges_of(Example) == {
        "hidden_size": Int(16, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "kind": Choice("a", "b"),
        "penalty": Float(1e-7, 10.0),
    }
    assert [p.default for p in parameters_of(Example).values()] == [64, 0.1, "a", None, False]


def test_resolve_puts_given_values_over_defaults():
    resolved = resolve(Example, {"dropout": 0, "hidden_size": 32.0, "penalty": 1}, "x")
    assert resolved == {"hidden_size": 32, "dropout": 0.0, "kind": "a", "penalty": 1.0, "plain": False}
    assert [type(value) for value in resolved.values()] == [int, float, str, float, bool]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"hidden_size": "big"}, "hidden_size must be a whole number, got 'big'"),
        ({"hidden_size": 1.5}, "hidden_size must be a whole number, got 1.5"),
        ({"hidden_size": True}, "hidden_size must be a whole number, got True"),
        ({"dropout": "none"}, "dropout must be a number, got 'none'"),
        ({"kind": "c"}, "kind must be one of 'a', 'b', got 'c'"),
        ({"penalty": "x"}, "penalty must be a number or none, got 'x'"),
        ({"plain": 1}, "plain must be true or false, got 1"),
    ],
)
def test_wrong_type_is_named_with_its_rule(given, rule):
    with pytest.raises(InputError, match=f"^variant: {rule}$"):
        resolve(Example, given, "variant")


def test_unknown_parameter_suggests_the_nearest():
    with pytest.raises(UnknownName, match="unknown parameter 'hiden_size' of variant; did you mean 'hidden_size'"):
        resolve(Example, {"hiden_size": 1}, "variant")


def test_ranges_are_described_in_words():
    assert range_text(Int(1, 8, log=True)) == "1 to 8, on a log scale"
    assert range_text(Int(8, 32, step=8)) == "8 to 32 in steps of 8"
    assert range_text(Choice("a", 1)) == "one of 'a', 1"
    assert range_text(None) == ""
