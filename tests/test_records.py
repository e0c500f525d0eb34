"""What a record refuses is said as a rule, in plain words."""

from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import Field

from zoo.errors import InputError
from zoo.records import Record, Setting, checked


class Inner(Record):
    size: int = 1


class Outer(Record):
    horizon: int = Field(default=1, ge=1, le=2**31)
    rate: float = Field(default=1.0, gt=0, lt=5)
    name: str = Field(default="a", pattern=r"^\w+$")
    is_tuned: bool = True
    kind: Literal["one", "two", "three"] = "one"
    targets: list[str] = Field(default=["a"], min_length=1)
    pair: tuple[int, int] = (1, 2)
    weights: dict[str, float] = Field(default={})
    seeds: int | list[int] = 1
    split: list[int | float | str | date] = Field(default=[])
    inner: Inner = Inner()
    setting: Setting = 1
    batch: list[Annotated[int, Field(ge=1)] | Literal["max"]] = Field(default=[])


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"horizon": 0}, "horizon must be >= 1, got 0"),
        ({"horizon": 2**40}, "horizon must be <= 2147483648, got 1099511627776"),
        ({"horizon": "a"}, "horizon must be a whole number, got 'a'"),
        ({"horizon": 2.5}, "horizon must be a whole number, got 2.5"),
        ({"horizon": True}, "horizon must be a whole number, got True"),
        ({"rate": 0.0}, "rate must be > 0, got 0.0"),
        ({"rate": 5.0}, "rate must be < 5, got 5.0"),
        ({"rate": "x"}, "rate must be a number, got 'x'"),
        ({"rate": float("nan")}, "rate must be a finite number, got nan"),
        ({"name": 1}, "name must be text, got 1"),
        ({"name": "a b"}, r"name must be text of the pattern ^\w+$, got 'a b'"),
        ({"is_tuned": "yes"}, "is_tuned must be true or false, got 'yes'"),
        ({"kind": "four"}, "kind must be 'one', 'two' or 'three', got 'four'"),
        ({"targets": []}, "targets must be a list of at least 1, got []"),
        ({"targets": "a"}, "targets must be a list, got 'a'"),
        ({"targets": [1]}, "targets.0 must be text, got 1"),
        ({"pair": 1}, "pair must be a list, got 1"),
        ({"pair": (1, 2, 3)}, "pair must be a list of at most 2, got (1, 2, 3)"),
        ({"weights": 1}, "weights must be a table of values, got 1"),
        ({"weights": {"a": "b"}}, "weights.a must be a number, got 'b'"),
        ({"seeds": "two"}, "seeds must be a whole number or a list, got 'two'"),
        ({"seeds": [1, "two"]}, "seeds.1 must be a whole number, got 'two'"),
        ({"split": [None]}, "split.0 must be a whole number, a number, text or a date, got None"),
        ({"inner": 1}, "inner must be a table of values, got 1"),
        ({"inner": {"size": "a"}}, "inner.size must be a whole number, got 'a'"),
        ({"inner": {"siez": 1}}, "unknown key 'inner.siez'; did you mean 'size'? (known: size)"),
        ({"batch": [0]}, "batch.0 must be >= 1 or 'max', got 0"),
        ({"setting": {}}, "setting must be true or false, a whole number, a number, text or a list, got {}"),
        ({"name": 100 * "x-"}, "name must be text of the pattern ^\\w+$, got '" + 29 * "x-" + "x..."),
    ],
)
def test_a_rule_is_said_in_plain_words(settings, rule):
    with pytest.raises(InputError) as caught:
        checked(Outer, settings, "suite")
    assert str(caught.value) == f"suite: {rule}"
