"""Pieces: a table in slices of rows, for work whose intermediate values would not fit beside it."""

from collections.abc import Iterator

ROWS = 2**20  # in a piece; smaller tables are one


def pieces(rows: int) -> Iterator[slice]:
    """Slices that cover so many rows; one empty slice where there are none."""
    for first in range(0, max(rows, 1), ROWS):
        yield slice(first, min(first + ROWS, rows))
