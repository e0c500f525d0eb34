"""One column of a frame as numbers, or the reason why it is none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Signs of money and of thousands; a decimal comma is tried where there is no other reading.
ENGLISH = r"[-+]?[$€£]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?"
CONTINENTAL = r"[-+]?[$€£]?(\d{1,3}(\.\d{3})+|\d+)(,\d*)?"


@dataclass(frozen=True)
class Numbers:
    """values: float64 [rows], or None for a column without numbers; problem: why it cannot be a channel;
    note: what was changed to read it."""

    values: np.ndarray | None
    problem: str | None = None
    note: str | None = None


def as_numbers(column: pd.Series, source: str, first_line: int, *, has_decimal_comma: bool = False) -> Numbers:
    """A column's numbers, NaN where missing.

    A text column of which at least half are numbers keeps its values, and the first text is its problem;
    with fewer numbers it is text, and is left out. first_line: the line of the file that index 0 stands on.
    has_decimal_comma: read 1,100 as 1.1, not as 1100.
    """
    name = column.name
    if column.isna().all():
        return Numbers(None, f"column '{name}' of {source} is empty", f"column '{name}' is empty: left out")
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return Numbers(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if pd.api.types.is_datetime64_any_dtype(column):
        return Numbers(None, f"column '{name}' of {source} holds dates, not numbers: it cannot be a channel")
    filled = column.dropna()
    text = filled.astype(str).str.strip()
    parsed = pd.to_numeric(text, errors="coerce")
    if parsed.notna().all():
        return Numbers(parsed.reindex(column.index).to_numpy(np.float64))
    is_continental = text.str.fullmatch(CONTINENTAL).all()
    if text.str.fullmatch(ENGLISH).all() and not (has_decimal_comma and is_continental):
        plain = pd.to_numeric(text.str.replace(r"[$€£,]", "", regex=True))
        note = f"column '{name}': signs of money and thousands left out"
        return Numbers(plain.reindex(column.index).to_numpy(np.float64), None, note)
    if is_continental:
        signs = text.str.replace(r"[$€£.]", "", regex=True).str.replace(",", ".")
        note = f"column '{name}': read with a decimal comma"
        return Numbers(pd.to_numeric(signs).reindex(column.index).to_numpy(np.float64), None, note)
    bad = parsed.index[parsed.isna().to_numpy()]
    problem = (
        f"column '{name}' of {source} holds text: {filled.loc[bad[0]]!r} in line {bad[0] + first_line}; "
        "mend it, or leave the column out with --channels"
    )
    if len(bad) * 2 > len(text):
        return Numbers(None, problem, f"column '{name}' does not hold numbers: left out")
    return Numbers(parsed.reindex(column.index).to_numpy(np.float64), problem)
