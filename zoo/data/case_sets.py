"""Labelled sequences that need no download: those of the UCR and UEA archives inside the wheel of aeon."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zoo.data.cases import Cases
from zoo.data.ts_file import read_ts
from zoo.errors import InputError

INSTALL = "pip install --no-deps aeon"


@dataclass(frozen=True)
class CaseSet:
    """Its folder in aeon, and what it is."""

    folder: str
    summary: str


CASE_SETS = {
    "acsf1": CaseSet("ACSF1", "10 kinds of household appliances by their power consumption, 1,460 steps"),
    "arrowhead": CaseSet("ArrowHead", "3 kinds of arrowheads by their outline, 251 steps"),
    "basic-motions": CaseSet("BasicMotions", "4 motions by a smart watch, 6 channels, 100 steps"),
    "gunpoint": CaseSet("GunPoint", "drawing a gun or pointing, by the height of a hand, 150 steps"),
    "italy-power": CaseSet("ItalyPowerDemand", "winter or summer by the power demand of a day, 24 steps"),
    "japanese-vowels": CaseSet("JapaneseVowels", "9 speakers by a vowel, 12 channels, 7 to 29 steps"),
    "osu-leaf": CaseSet("OSULeaf", "6 kinds of leaves by their outline, 427 steps"),
    "pickup-gesture": CaseSet("PickupGestureWiimoteZ", "10 gestures by the acceleration of a remote, 29 to 361 steps"),
}
NAMES = tuple(CASE_SETS)


def cases_of(name: str) -> Cases:
    """The cases of a set, with its own test part; nothing of aeon is imported."""
    spec = find_spec("aeon")
    if spec is None or spec.origin is None:
        raise InputError(f"the data set '{name}' needs the files of aeon: {INSTALL}")
    folder = CASE_SETS[name].folder
    path = Path(spec.origin).parent / "datasets" / "data" / folder / f"{folder}_TRAIN.ts"
    if not path.is_file():
        raise InputError(f"this version of aeon has no file {path.name}: {INSTALL} (1.6.0 has it)")
    return read_ts(path, source=name)
