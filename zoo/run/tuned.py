"""Tuned settings: the best of a study, read from best.json and used by a suite."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from zoo.cell import Best, Cell, TaskFields, Tuning, best_from
from zoo.data.dataset import Data
from zoo.errors import InputError
from zoo.files import read_input
from zoo.records import parse_json, reason
from zoo.registry import variant
from zoo.space import resolve
from zoo.suite import fit_of_task, try_out
from zoo.train.config import FitConfig


def read_tuned(folder: Path, names: Sequence[str]) -> dict[str, Best]:
    """The tuned settings of those of `names` that folder/<variant>/best.json or folder/best.json has.

    Raises InputError where there are none, or where a file is not one that zoo tune wrote.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder: {folder}; zoo tune all SUITE --out {folder} makes it")
    tuned = {}
    for path in (folder / "best.json", *sorted(folder.glob("*/best.json"))):
        if path.exists():
            best = _read(path)
            if best.variant in names:
                tuned[best.variant] = best
    if not tuned:
        raise InputError(
            f"{folder} holds no best.json of {', '.join(names)}: run zoo tune all SUITE --out {folder} first"
        )
    return tuned


def tuned_cells(cells: Sequence[Cell], data: Data, tuned: Mapping[str, Best]) -> list[Cell]:
    """The cells of tuned variants once more, with their tuned settings; seeds are those of the suite.

    Raises InputError for settings that come from another problem or another code, or that cannot be built.
    """
    extra_cells = []
    for name, best in tuned.items():
        default_cells = [cell for cell in cells if cell.variant == name]
        if default_cells:
            _check_same(best, default_cells[0])
            try_out(name, data.with_lookback(best.lookback), best.params)
            FitConfig.of(best.fit)
        for cell in default_cells:
            changes = {
                "params": resolve(variant(name).build, best.params, f"variant '{name}'"),
                "fit": None if cell.fit is None else fit_of_task(best.fit, cell.problem.task),
                "problem": cell.problem.model_copy(update={"lookback": best.lookback}),
                "tuning": Tuning(
                    lookback=cell.problem.lookback,
                    valid_loss=best.valid_loss,
                    study=best.study,
                    budget=best.budget,
                    cost=best.cost,
                    command=best.command,
                ),
            }
            extra_cells.append(cell.model_copy(update=changes).keyed())
    return extra_cells


def _check_same(best: Best, cell: Cell) -> None:
    """Raise InputError unless the study had the same data, split, task and code: otherwise test rows may have been
    among those that chose the settings."""
    name = best.variant
    if best.data.fingerprint != cell.data.fingerprint:
        raise InputError(
            f"variant '{name}' was tuned on other data ({best.data.source}, fingerprint {best.data.fingerprint[:12]}, "
            f"here {cell.data.fingerprint[:12]}): tune it on this data"
        )
    for field in TaskFields.model_fields.keys() - {"fold", "folds"}:  # tuning sees no row of the test part's folds
        value, own = getattr(best.problem, field), getattr(cell.problem, field)
        if own != value:
            raise InputError(
                f"variant '{name}' was tuned with {field} {_plain(value)}, the suite has {_plain(own)}: "
                "tune it with the suite's settings"
            )
    code = best.study.code  # an earlier version did not record that of the zoo's own variants
    if code is not None and cell.code is not None and code.sha256 != cell.code.sha256:
        raise InputError(f"the code of variant '{name}' has changed since it was tuned: tune it again")


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _read(path: Path) -> Best:
    try:
        return best_from(parse_json(read_input(path)))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(f"{path} is not what zoo tune writes: {reason(error, Best)}; tune again") from error
    except ValueError as error:
        raise InputError(f"{path} is not what zoo tune writes ({error}); tune again") from error
