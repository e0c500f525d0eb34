"""Parts: which windows are explained, and what their channels are called."""

from dataclasses import replace

import numpy as np
import torch

from zoo.data.calendar import HOLIDAY
from zoo.data.dataset import Data, Samples
from zoo.data.scaling import Units
from zoo.data.sequences import Sequences
from zoo.data.windows import Windows
from zoo.errors import InputError, unknown

PARTS = ("test", "validation", "train", "all")
LEARNED = "this says what the model uses, not what helps it on new rows"
OTHER_ROWS = "does not begin with the rows of the fit, so that its parts are not known"


def part_of(data: Data, part: str | None, *, is_of_fit: bool = True) -> tuple[str, Samples, list[str]]:
    """The name and the windows of a part, and notes on them; None: test, or where it is empty the next best.

    is_of_fit: whether the parts are those of the fit; if not, `train` holds all rows. Raises InputError for a part
    without windows.
    """
    if part is not None and part not in PARTS:
        raise unknown("part", part, PARTS)
    if not is_of_fit:
        if part not in (None, "all"):
            raise InputError(f"{data.source} {OTHER_ROWS}: --part all explains all of its windows")
        return "all", data.train, [f"{data.source} {OTHER_ROWS}: all of its windows are explained"]
    if part == "all":
        if isinstance(data.train, Sequences) or data.panel is not None:
            raise InputError("--part all is for one series: choose test, validation or train")
        return part, data.train.between(0, len(data.train.values)), [f"train rows are among these: {LEARNED}"]
    samples = {"test": data.test, "validation": data.valid, "train": data.train}
    chosen = part or next(name for name, windows in samples.items() if windows)
    windows = samples[chosen]
    if not windows:
        raise InputError(
            f"the {chosen} part has no windows, since the fit used all its rows for other parts: choose another "
            "--part, or fit without --refit"
        )
    notes = []
    if part is None and chosen != "test":
        notes.append(f"no test part is left, so the {chosen} part is explained")
    if chosen != "test":
        how = "training has learned these rows" if chosen == "train" else "training was stopped or chosen by these rows"
        notes.append(f"{how}: {LEARNED}")
    return chosen, windows, notes


def some_of(samples: Samples, count: int) -> Samples:
    """At most `count` of the windows, evenly spread over all of them."""
    if len(samples) <= count:
        return samples
    places = np.unique(np.linspace(0, len(samples) - 1, count).round().astype(np.int64))
    index = torch.from_numpy(places)
    if isinstance(samples, Windows):
        return replace(samples, starts=samples.starts[index], units=_units_at(samples.units, places))
    cut = {name: getattr(samples, name)[places] for name in ("lengths", "names")}
    return replace(samples, starts=samples.starts[index], labels=samples.labels[index], **cut)


def _units_at(units: Units, places: np.ndarray) -> Units:
    """The units of some windows, where each has its own."""
    if units.scale.ndim == 1:
        return units
    own = {name: getattr(units, name)[places] for name in ("center", "scale", "deviation", "step")}
    return replace(units, **own)


def input_names(data: Data) -> tuple[str, ...]:
    """What each channel of the model is called: columns, and then what is made from the time, known or missing."""
    periods = [
        name
        for period in data.calendar
        for name in ([period] if period.startswith(HOLIDAY) else [f"{period} (sine)", f"{period} (cosine)"])
    ]
    known = [f"{name} (known in advance)" for name in data.known]
    return (*data.channels, *periods, *known, *(f"{name} (missing)" for name in data.masked))
