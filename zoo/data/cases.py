"""Cases: labelled sequences, each of which belongs to one class as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from zoo.data.table import match_columns
from zoo.errors import InputError, first_line


@dataclass(frozen=True)
class Cases:
    """Sequences and their classes.

    values: float64 [steps of all cases, C], one case after the other; lengths: int64 [n], steps of each case; labels:
    text [n]; names: text [n], for people; is_test: bool [n], the cases of a fixed test part, None: none is fixed;
    label: what the class is called; notes: what reading changed, for the user to read.
    """

    source: str
    channels: tuple[str, ...]
    values: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    is_test: np.ndarray | None = None
    label: str = "class"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.lengths):
            raise InputError(f"{self.source} holds no cases")
        if self.lengths.min() < 1:
            raise InputError(f"case '{self.names[self.lengths.argmin()]}' of {self.source} has no steps: remove it")
        if not np.isfinite(self.values).all():
            row = int(np.flatnonzero(~np.isfinite(self.values).all(axis=1))[0])
            place = int(np.searchsorted(np.cumsum(self.lengths), row, side="right"))
            raise InputError(
                f"case '{self.names[place]}' of {self.source} has a value that is missing or infinite: fill it or "
                "remove the case"
            )

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        steps = " to ".join(dict.fromkeys(str(each) for each in (self.lengths.min(), self.lengths.max())))
        known = f"{len(self.classes)} classes of {self.label}"
        return f"Cases({self.source}: {len(self):,} sequences of {steps} steps of {', '.join(self.channels)}, {known})"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes: numbers in their order, text in that of the alphabet."""
        names = [str(name) for name in np.unique(self.labels)]
        try:
            return tuple(sorted(names, key=float))
        except ValueError:
            return tuple(names)

    def sequence(self, number: int) -> np.ndarray:
        """The values of one case, [L, C]."""
        end = int(self.lengths[: number + 1].sum())
        return self.values[end - int(self.lengths[number]) : end]

    def frame(self) -> pd.DataFrame:
        """The cases as a long table, a row for each step: case, the class, and the channels.

        Cases that share a name are numbered. Raises InputError for a channel that is called `case` or like the class.
        """
        if "case" in (self.label, *self.channels) or self.label in self.channels:
            raise InputError(f"the columns case, {self.label} and {', '.join(self.channels)} need different names")
        number = np.repeat(np.arange(len(self)), self.lengths)
        steps = pd.DataFrame(self.values, columns=list(self.channels))
        steps.insert(0, self.label, self.labels[number])
        is_named = len(set(self.names)) == len(self)
        steps.insert(0, "case", self.names[number] if is_named else number + 1)
        return steps

    def select(self, channels: Sequence[str]) -> "Cases":
        """The cases with these channels alone; raises UnknownName."""
        names = match_columns(channels, self.channels, self.source)
        values = self.values[:, [self.channels.index(name) for name in names]]
        return replace(self, channels=names, values=values)

    def without_test(self) -> "Cases":
        """The cases that are not in a fixed test part."""
        if self.is_test is None:
            return self
        chosen = {name: getattr(self, name)[~self.is_test] for name in ("lengths", "labels", "names")}
        steps = self.values[np.repeat(~self.is_test, self.lengths)]
        return replace(self, values=steps, is_test=None, notes=(), **chosen)

    def followed_by(self, test: "Cases") -> "Cases":
        """These cases, which are for training, and those of a fixed test part."""
        if test.channels != self.channels:
            raise InputError(
                f"{test.source} has the channels {', '.join(test.channels)}, {self.source} has "
                f"{', '.join(self.channels)}: train and test need the same"
            )
        if unseen := sorted(set(test.labels) - set(self.labels)):
            raise InputError(
                f"class '{unseen[0]}' of {test.source} is not in {self.source}: no model can learn it; remove its cases"
            )
        return Cases(
            self.source,
            self.channels,
            np.concatenate([self.values, test.values]),
            np.concatenate([self.lengths, test.lengths]),
            np.concatenate([self.labels, test.labels]),
            np.concatenate([self.names, test.names]),
            np.repeat([False, True], [len(self), len(test)]),
            self.label,
            (*self.notes, f"test cases are those of {test.source}", *test.notes),
        )


def cases(
    sequences: Sequence[Any] | np.ndarray,
    labels: Sequence[Any] | np.ndarray,
    *,
    channels: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    source: str = "arrays",
) -> Cases:
    """Labelled sequences from arrays: each [L] or [L, C] (an array [n, L, C] holds n), and the class of each.

    Sequences may differ in length. channels: names of the C columns; names: of the cases. Raises InputError.
    """
    try:
        arrays = [np.asarray(sequence, dtype=np.float64) for sequence in sequences]
    except (TypeError, ValueError) as error:
        raise InputError(f"sequences must hold numbers, each an array [L] or [L, C] ({first_line(error)})") from error
    arrays = [array[:, None] if array.ndim == 1 else array for array in arrays]
    wide = {array.shape[1:] for array in arrays}
    if not arrays or len(wide) != 1 or arrays[0].ndim != 2:
        raise InputError("sequences must be arrays [L] or [L, C], all with the same number of channels C")
    if len(labels) != len(arrays):
        raise InputError(f"each sequence needs one label, got {len(arrays)} sequences and {len(labels)} labels")
    if names is not None and (len(names) != len(arrays) or len(set(map(str, names))) < len(arrays)):
        raise InputError(f"names must be different texts, one for each of the {len(arrays)} sequences")
    count = arrays[0].shape[1]
    if channels is not None and len(channels) != count:
        raise InputError(f"channels must name the {count} columns, got {', '.join(channels)}")
    return Cases(
        source,
        tuple(channels) if channels is not None else tuple(f"channel {number}" for number in range(1, count + 1)),
        np.concatenate(arrays),
        np.array([len(array) for array in arrays], dtype=np.int64),
        np.array([str(label) for label in labels]),
        np.array([str(name) for name in (names if names is not None else range(1, len(arrays) + 1))]),
    )
