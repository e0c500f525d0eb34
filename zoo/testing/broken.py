"""Broken: what a check expected, what it saw, and what that usually comes from."""


class Broken(AssertionError):
    """A variant breaks a check of the contract."""

    def __init__(self, expected: str, seen: str, cause: str) -> None:
        super().__init__(f"expected {expected}; saw {seen}; usual cause: {cause}")
        self.expected, self.seen, self.cause = expected, seen, cause


class NotApplicable(Exception):
    """A check says nothing about this variant or this machine; the message says why."""
