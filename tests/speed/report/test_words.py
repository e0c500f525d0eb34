"""Figures in words."""

import pytest

from zoo.speed.report.words import short


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.00042, "0.000420"),
        (9.999, "10.0"),
        (1.0, "1.00"),
        (123.4, "123"),
        (1234567.0, "1,230,000"),
    ],
)
def test_numbers_have_three_digits_that_count(number, text):
    assert short(number) == text
