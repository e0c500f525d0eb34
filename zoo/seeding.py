"""Separate random streams of one seed: weights, batch order, dropout do not disturb each other."""

import hashlib


def stream_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose of a run, the same on every machine."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
