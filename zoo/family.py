"""The family of a variant, told from its tags."""

from collections.abc import Sequence


def family(tags: Sequence[str]) -> str:
    """cell (a recurrence of its own), baseline, or architecture, which is all others."""
    return "baseline" if "baseline" in tags else "cell" if "cell" in tags else "architecture"
