"""`.ts` files of the UCR and UEA archives: one labelled sequence a line, its channels apart by colons."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.data.cases import Cases, cases
from zoo.errors import InputError
from zoo.files import read_input

# Source: the format as the archive's makers describe it, https://www.timeseriesclassification.com
SAYS_YES = ("true", "yes")


def read_ts(path: Path, source: str | None = None) -> Cases:
    """The cases of a .ts file, and where it is called NAME_TRAIN.ts those of NAME_TEST.ts beside it as its test part.

    Raises InputError, with the line, for a file that is not of this format.
    """
    train = _read_one(path, source or str(path))
    twin = path.with_name(path.name.replace("_TRAIN", "_TEST"))
    if twin == path or not twin.is_file():
        return train
    test = _read_one(twin, twin.name)
    return train.followed_by(replace(test, names=np.char.add("test ", test.names)))


def _read_one(path: Path, source: str) -> Cases:
    try:
        lines = read_input(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a .ts file: it is not text ({error.reason})") from error
    header: dict[str, str] = {}
    sequences, labels = [], []
    is_data = False
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not is_data:
            if not text.startswith("@"):
                raise InputError(
                    f"{path}, line {number}: a .ts file begins with lines such as @problemName, got '{text[:40]}'"
                )
            key, _, value = text[1:].partition(" ")
            header[key.casefold()] = value.strip()
            is_data = key.casefold() == "data"
            if is_data:
                _check_header(header, path)
            continue
        *channels, label = text.split(":")
        sequences.append(_sequence(channels, path, number))
        labels.append(label.strip())
    if not sequences:
        raise InputError(f"{path} holds no cases: its lines follow one that says @data")
    counts = {sequence.shape[1] for sequence in sequences}
    if len(counts) > 1:
        raise InputError(f"{path}: each case needs the same number of channels, got {min(counts)} and {max(counts)}")
    return cases(sequences, labels, source=source)


def _check_header(header: dict[str, str], path: Path) -> None:
    if header.get("timestamps", "false").casefold() in SAYS_YES:
        raise InputError(f"{path} has a time in each value (@timeStamps true), which zoo does not read: drop the times")
    if header.get("classlabel", "").split(" ")[0].casefold() not in SAYS_YES:
        raise InputError(f"{path} has no classes (@classLabel true 1 2 ...): zoo reads .ts files for classes alone")


def _sequence(channels: list[str], path: Path, line: int) -> np.ndarray:
    """One case [L, C]; a ? is a missing value."""
    try:
        columns = [np.array(channel.replace("?", "nan").split(","), dtype=np.float64) for channel in channels]
    except ValueError as error:
        raise InputError(f"{path}, line {line}: values must be numbers with commas between them ({error})") from error
    if not columns or len({len(column) for column in columns}) != 1:
        raise InputError(f"{path}, line {line}: the channels of a case must be equally long, and a class must follow")
    return np.stack(columns, axis=1)
