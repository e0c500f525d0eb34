"""One column of a frame as numbers, or the reason why it is none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Signs of money and of thousands, with a decimal dot or a decimal comma.
ENGLISH = r"[-+]?[$€£]?([1-9]\d{0,2}(,\d{3})+|\d+)(\.\d*)?"
CONTINENTAL = r"[-+]?[$€£]?([1-9]\d{0,2}(\.\d{3})+|\d+)(,\d*)?"


@dataclass(frozen=True)
class Numbers:
    """values: float64 [rows], or None for a column without numbers; problem: why it cannot be a channel;
    note: what was changed to read it."""

    values: np.ndarray | None
    problem: str | None = None
    note: str | None = None


def proves_decimal_comma(frame: pd.DataFrame, *, likely: bool) -> bool:
    """Whether a file's numbers have decimal commas: decided once, for all of its columns.

    One column that only a decimal comma explains (100,35) decides. Where a column has both readings (1,100),
    it counts if `likely` (fields separated by semicolons) and no column has a decimal dot.
    """
    has_dot = has_both = False
    for name in frame.columns:
        column = frame[name].dropna()
        if pd.api.types.is_float_dtype(column):
            has_dot |= bool((column % 1 != 0).any())
        elif not pd.api.types.is_numeric_dtype(column) and len(column):
            text = column.astype(str).str.strip()
            english, continental = text.str.fullmatch(ENGLISH).all(), text.str.fullmatch(CONTINENTAL).all()
            if continental and not english:
                return True
            has_dot |= bool(english and not continental)
            has_both |= bool(english and continental)
    return likely and has_both and not has_dot


def as_numbers(column: pd.Series, source: str, first_line: int, *, has_decimal_comma: bool = False) -> Numbers:
    """A column's numbers, NaN where missing.

    A text column of which at least half are numbers keeps its values, and the first text is its problem;
    with fewer numbers it is text, and is left out. first_line: the line of the file that index 0 stands on.
    has_decimal_comma: read 1,100 as 1.1 and 1.100 as 1100, not the other way round.
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
    if has_decimal_comma and text.str.fullmatch(CONTINENTAL).all():
        signs = text.str.replace(r"[$€£.]", "", regex=True).str.replace(",", ".")
        note = f"column '{name}': read with a decimal comma" if text.str.contains("[.,]").any() else None
        return Numbers(pd.to_numeric(signs).reindex(column.index).to_numpy(np.float64), None, note)
    parsed = pd.to_numeric(text, errors="coerce")
    if parsed.notna().all():
        return Numbers(parsed.reindex(column.index).to_numpy(np.float64))
    if text.str.fullmatch(ENGLISH).all():
        plain = pd.to_numeric(text.str.replace(r"[$€£,]", "", regex=True))
        note = f"column '{name}': signs of money and thousands left out"
        return Numbers(plain.reindex(column.index).to_numpy(np.float64), None, note)
    bad = parsed.index[parsed.isna().to_numpy()]
    problem = (
        f"column '{name}' of {source} holds text: {filled.loc[bad[0]]!r} in line {bad[0] + first_line}; "
        "mend it, or leave the column out with --channels"
    )
    if len(bad) * 2 > len(text):
        return Numbers(None, problem, f"column '{name}' does not hold numbers: left out")
    return Numbers(parsed.reindex(column.index).to_numpy(np.float64), problem)
