"""Results: the rows of several folders together, each once, with their stored predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.bench.rows import read_all, read_rows
from zoo.errors import InputError
from zoo.report.board import Row
from zoo.report.predictions import Load, Stored, stored_in


@dataclass(frozen=True)
class Results:
    """Accuracy rows with what reads their predictions, speed rows, and sentences on what was left out."""

    accuracy: tuple[Row, ...]
    speed: tuple[Row, ...]
    left_out: tuple[str, ...]
    load: Load


def read_results(folders: Sequence[Path]) -> Results:
    """Every row of the folders; of rows with the same key the first folder's.

    Raises InputError for a folder without rows.
    """
    accuracy: dict[str, Row] = {}
    speed: dict[str, Row] = {}
    left_out: list[str] = []
    loads: dict[str, Load] = {}
    for folder in folders:
        rows, broken = read_all(folder)
        if not rows:
            raise InputError(
                f"no rows in {folder / 'rows.jsonl'}: run zoo bench ... or zoo speed ... --out {folder} first"
            )
        timed = [row for row in rows if row.get("kind") == "speed"]
        if timed:
            speed = {row["key"]: row for row in timed} | speed
        else:
            rows, broken = read_rows(folder)
            load = stored_in(folder)
            for row in rows:
                if row["key"] not in accuracy:
                    accuracy[row["key"]], loads[row["key"]] = row, load
        left_out += broken if len(folders) == 1 else [f"{folder}: {sentence}" for sentence in broken]

    def load_any(row: Row) -> Stored | None:
        return loads[row["key"]](row) if row["key"] in loads else None

    return Results(tuple(accuracy.values()), tuple(speed.values()), tuple(left_out), load_any)
