"""The `zoo` command: thin; every command imports only what it needs, when it runs."""

# isort: off
import zoo.startup  # noqa: F401  first

# Each registers its commands, in the order of `zoo --help`.
from zoo.cli import look, contract, select, bench, tune, speed, report, compare, model, explain  # noqa: F401

# isort: on
from zoo.cli.app import main

__all__ = ["main"]
