"""results: everything that was measured, as one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.cell import Row
from zoo.errors import InputError, expect
from zoo.records import without_collection
from zoo.run.store import NAME, read_rows

FIRST = ("kind", "suite", "variant", "seed")
WHOLE = ("ranges", "settings")  # dicts of a study, whose names are data
BARE = ("metrics", "problem")  # their fields are columns without a prefix: rmse, lookback


def results(*folders: str | Path) -> pd.DataFrame:
    """The rows of folders that zoo bench and zoo speed wrote, one table row each, with flat columns.

    Columns: what a row holds, with a dot where it is nested: variant, seed, params.hidden_size, fit.learning_rate,
    data.source, machine.cpu, tuning.cost.seconds, step_seconds.median. Metrics and the problem have bare names: rmse,
    skill, targets.close.rmse, lookback, horizon. folder: the one with the row. A column without a value for a row
    holds None or NaN. Each key appears once: the first folder with a row that did not fail wins.

    frame.attrs["left_out"]: a sentence for each line that could not be read. Raises InputError for a folder without
    rows.
    """
    for folder in folders:
        expect("a folder", folder, (str, Path), "a path")
    chosen: dict[str, tuple[Path, Row]] = {}
    left_out = []
    for folder in map(Path, folders):
        rows, faults = read_rows(folder)
        left_out += faults if len(folders) == 1 else [f"{folder}: {fault}" for fault in faults]
        if not rows:
            why = f" ({faults[0]})" if faults else ""
            raise InputError(
                f"no rows in {folder / NAME}{why}: run zoo bench ... or zoo speed ... --out {folder} first"
            )
        for row in rows:
            if row.key not in chosen or (chosen[row.key][1].error and not row.error):
                chosen[row.key] = (folder, row)
    frame = frame_of(list(chosen.values()))
    frame.attrs["left_out"] = left_out
    return frame


def frame_of(rows: Sequence[tuple[Path, Row]]) -> pd.DataFrame:
    """Rows as one table, see results."""
    with without_collection():
        frame = pd.DataFrame([{**flat(row.model_dump()), "folder": str(folder)} for folder, row in rows])
    names = list(frame.columns)
    nested = {name.rsplit(".", 1)[0] for name in names if "." in name}
    empty = {name for name in nested.intersection(names) if frame[name].isna().all()}  # None in every row
    first = [name for name in FIRST if name in names]
    return frame[[*first, *(name for name in names if name not in first and name not in empty)]]


def newest_code(rows: pd.DataFrame) -> pd.DataFrame:
    """Without rows of an earlier code of their variant: the code that ran last stays, and no code is the oldest."""
    if "code.sha256" not in rows:
        return rows
    code = rows["code.sha256"].astype(object).fillna("")
    by_age = pd.DataFrame({"variant": rows["variant"], "code": code, "is_known": code != "", "at": rows["started"]})
    newest = by_age.sort_values(["is_known", "at"], kind="stable").groupby("variant")["code"].last()
    return rows[code == rows["variant"].map(newest)]


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by the names of the columns."""
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if type(value) is dict and name not in WHOLE:
            columns.update(flat(value, prefix if not prefix and name in BARE else f"{prefix}{name}."))
        elif value is not None or name not in (*BARE, "targets"):  # metrics of a failed row, targets of metrics
            columns[f"{prefix}{name}"] = value
    return columns
