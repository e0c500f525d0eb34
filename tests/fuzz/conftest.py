"""How many inputs the tests of this folder try, and the count of them."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

tried: list[int] = []
LONG = os.environ.get("FUZZ_EXAMPLES")

settings.register_profile(
    "fuzz",
    max_examples=int(LONG or 30),
    derandomize=LONG is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _profile():
    before = settings.get_current_profile_name()
    settings.load_profile("fuzz")
    yield
    settings.load_profile(before)


@pytest.hookimpl
def pytest_sessionfinish() -> None:
    counts = os.environ.get("FUZZ_COUNTS")
    if counts and tried:
        with Path(counts).open("a") as file:
            file.write(f"{len(tried)}\n")
