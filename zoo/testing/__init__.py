"""The contract of a variant: what every architecture in the registry can be relied on for.

results = zoo.testing.check("my-lstm")          # or: zoo check my_lstm.py

class TestMine(zoo.testing.VariantContract):    # or in pytest, a test for each check
    variant = "my-lstm"
"""

from zoo.testing.contract import CHECKS, Result, VariantContract, check
from zoo.testing.helpers import Broken

__all__ = ["CHECKS", "Broken", "Result", "VariantContract", "check"]
