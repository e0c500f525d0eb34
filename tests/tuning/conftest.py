import pytest

from zoo import registry


@pytest.fixture
def register_variant():
    """Registers a class, for one test."""

    def add(name, build):
        registry.register(name, summary="s", source="s")(build)

    return add
