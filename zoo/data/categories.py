"""Categories: columns that name kinds, such as a store or a type of day, as whole numbers that a model embeds."""

from typing import Any

import numpy as np
import pandas as pd

UNSEEN = 0  # the code of a name that no training window holds, and of a missing one


def named(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """A column as positions in its sorted names, float64 [rows], NaN where missing, and the names as text.

    A whole number is named without decimals, so that a column reads alike with and without missing values.
    """
    codes, values = pd.factorize(column)
    texts = [_text(value) for value in values]
    names = tuple(sorted(set(texts)))
    place = {name: float(number) for number, name in enumerate(names)}
    places = np.array([*(place[text] for text in texts), np.nan])
    return places[codes], names  # factorize gives -1 to what is missing: the last place


def coded(places: np.ndarray, names: tuple[str, ...], learned: tuple[str, ...]) -> np.ndarray:
    """Positions in `names` as codes, float64 of the same shape: 1 + the position in `learned`, or UNSEEN."""
    code = {name: float(number) for number, name in enumerate(learned, start=1)}
    codes = np.array([*(code.get(name, UNSEEN) for name in names), UNSEEN])
    return np.asarray(codes[np.where(np.isnan(places), len(names), places).astype(int)])


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    return str(value).strip()
