import pytest

from zoo import registry


@pytest.fixture
def register_variant():
    """Register a class for one test."""
    names = []

    def add(name, build):
        registry.register(name, summary="s", source="s")(build)
        names.append(name)

    yield add
    for name in names:
        registry._variants.pop(name)
