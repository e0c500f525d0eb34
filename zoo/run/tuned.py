"""Tuned settings: what a study found best, kept as best.json, and taken up by a suite."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zoo.data.prepare import Data
from zoo.errors import InputError
from zoo.registry import variant
from zoo.space import resolve
from zoo.suite import Cell, key_of, try_out
from zoo.train.config import FitConfig

FORMAT = 1
NEEDED = {
    "data": ("source", "fingerprint"),
    "study": ("name", "sampler", "seed", "ranges"),
    "cost": ("trials", "complete", "pruned", "failed", "seconds"),
}
FIELDS = ("variant", "params", "fit", "lookback", "valid_loss", "data", "problem", "study", "budget", "cost", "command")


@dataclass(frozen=True)
class Tuned:
    """The best settings of one study.

    fit: FitConfig's fields but the device; data, problem: what they were found on, problem without the
    lookback; study: name, sampler, pruner, seed; budget: what each trial and the study were given; cost:
    trials, complete, pruned, failed, seconds.
    """

    variant: str
    params: dict[str, Any]
    fit: dict[str, Any]
    lookback: int
    valid_loss: float | None
    data: dict[str, Any]
    problem: dict[str, Any]
    study: dict[str, Any]
    budget: dict[str, Any]
    cost: dict[str, Any]
    command: str | None


def read_tuned(folder: Path, names: Sequence[str]) -> dict[str, Tuned]:
    """The tuned settings of those of `names` that folder/<variant>/best.json or folder/best.json has.

    Raises InputError where there are none, or a file is not what zoo tune writes.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder: {folder}; zoo tune all SUITE --out {folder} makes it")
    found = {}
    for path in (folder / "best.json", *sorted(folder.glob("*/best.json"))):
        if path.exists():
            tuned = _read(path)
            if tuned.variant in names:
                found[tuned.variant] = tuned
    if not found:
        raise InputError(
            f"{folder} holds no best.json of {', '.join(names)}: run zoo tune all SUITE --out {folder} first"
        )
    return found


def check_same(tuned: Tuned, fingerprint: str, problem: Mapping[str, Any]) -> None:
    """Raise InputError unless the settings were found on the same data, split and task: else test rows may
    have been among those that they were chosen by."""
    if tuned.data.get("fingerprint") != fingerprint:
        raise InputError(
            f"variant '{tuned.variant}' was tuned on other data ({tuned.data.get('source')}, fingerprint "
            f"{str(tuned.data.get('fingerprint'))[:12]}, here {fingerprint[:12]}): tune it on this data"
        )
    for key, value in tuned.problem.items():
        if problem.get(key) != value:
            raise InputError(
                f"variant '{tuned.variant}' was tuned with {key} {value}, the suite has {problem.get(key)}: "
                "tune it with the suite's"
            )


def tuned_cells(cells: Sequence[Cell], data: Data, tuned: Mapping[str, Tuned]) -> list[Cell]:
    """The cells of tuned variants once more, with their tuned settings; seeds are those of the suite.

    Raises InputError for settings that were found on something else, or that cannot be built.
    """
    made = []
    for name, best in tuned.items():
        own = [cell for cell in cells if cell.variant == name]
        if own:
            check_same(best, own[0].data["fingerprint"], own[0].problem)
            source = own[0].plugin["sha256"] if own[0].plugin is not None else None
            if best.study.get("source") != source:
                raise InputError(f"variant '{name}' was tuned with other code than it has now: tune it again")
            try_out(name, data.with_lookback(best.lookback), best.params)
            FitConfig.of(best.fit)
        for cell in own:
            again = replace(
                cell,
                params=resolve(variant(name).build, best.params, f"variant '{name}'"),
                fit=None if cell.fit is None else best.fit,
                problem={**cell.problem, "lookback": best.lookback},
                tuning={
                    "lookback": cell.problem["lookback"],  # the suite's
                    "valid_loss": best.valid_loss,
                    "study": best.study,
                    "budget": best.budget,
                    "command": best.command,
                    **{key: best.cost[key] for key in ("trials", "complete", "pruned", "failed", "seconds")},
                },
            )
            made.append(replace(again, key=key_of(again)))
    return made


def _read(path: Path) -> Tuned:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise InputError(f"{path} has format {content['format']}, this version reads {FORMAT}: tune again")
        tuned = TypeAdapter(Tuned).validate_python({name: content[name] for name in FIELDS})
        for part, names in NEEDED.items():
            missing = [name for name in names if name not in getattr(tuned, part)]
            if missing:
                raise KeyError(f"{part}.{missing[0]}")
        return tuned
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path} is not what zoo tune writes ({place}: {first['msg']}): tune again") from error
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not what zoo tune writes ({error}): tune again") from error
