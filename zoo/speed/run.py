"""run_speed: from a speed suite to stored rows, the report with its pictures, and what the user sees meanwhile."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.run import environment
from zoo.run.store import Row, RowStore, read_all
from zoo.space import scalar
from zoo.speed.cells import SpeedSuite, expand_speed, read_speed_suite
from zoo.speed.measure import visits_of
from zoo.speed.progress import reporter
from zoo.speed.visits import Visiting, is_complete, visit
from zoo.suite import checked


def speed_suite_from(
    source: str | None, changes: Mapping[str, Mapping[str, Any]], settings: Sequence[str]
) -> SpeedSuite:
    """The speed suite in a .toml file, or the default settings, with changes and `--set` settings over it.

    changes: values of `speed` and `method` by key, None where unchanged; a batch_size or lookback among them
    replaces the file's grids. Raises InputError.
    """
    base: dict[str, Any] = {"name": "speed"}
    if source is not None:
        base = read_speed_suite(Path(source)).model_dump(exclude_unset=True)
    for section, values in changes.items():
        given = {key: value for key, value in values.items() if value is not None}
        base[section] = {**base.get(section, {}), **given}
    speed = base["speed"]
    if changes["speed"].get("models") is not None:
        speed.pop("tags", None)
        if speed["models"] != ["all"] and "models" in base:
            base["models"] = {name: base["models"][name] for name in speed["models"] if name in base["models"]}
    if any(changes["speed"].get(key) is not None for key in ("batch_size", "lookback")):
        base.pop("grid", None)
    for setting in settings:
        name, equals, value = setting.partition("=")
        owner, dot, parameter = name.strip().rpartition(".")
        if not (equals and dot and owner and parameter):
            raise InputError(f"--set takes VARIANT.PARAMETER=VALUE, with commas for a sweep, got '{setting}'")
        sweep = [scalar(part.strip()) for part in value.split(",")]
        base.setdefault("models", {}).setdefault(owner, {})[parameter] = sweep if len(sweep) > 1 else sweep[0]
    return checked(SpeedSuite, base, source or "zoo speed")


def run_speed(
    suite: SpeedSuite,
    folder: Path,
    *,
    device: str = "auto",
    force: bool = False,
    command: str | None = None,
    as_json: bool = False,
) -> int:
    """Time what is not there yet, write folder/report.md and its pictures, print the tables; 1 if a cell failed.

    Everything wrong with the request raises InputError before anything is written. Ctrl-C returns 130; the
    rows so far stay, and the same call goes on from there.
    """
    cells, notes = expand_speed(suite, device=device)
    store = RowStore(folder)
    try:
        # Rows that lack passes go on; those that failed, or that another version began, begin anew.
        usable = [cell.key for cell in cells if store.is_done(cell.key) and "is_calm" in store.rows[cell.key]]
        known = {} if force else {key: store.rows[key] for key in usable}
        waiting = [cell for cell in cells if not is_complete(cell, known, suite.method)]
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
        if len(waiting) < len(cells):
            there = f"{len(cells) - len(waiting)} of {len(cells)} cells are already there (--force times them again)"
            print(there, file=sys.stderr)
        context = {"commit": environment.commit(), "command": command}
        visits = sum(visits_of(cell, suite.method) for cell in waiting)
        try:
            with reporter(len(waiting), visits) as report:
                visit(waiting, Visiting(known, store, suite.method, context, report))
        except KeyboardInterrupt:
            done = sum(is_complete(cell, known, suite.method) for cell in cells)
            print(
                f"stopped: {done} of {len(cells)} cells are done; the same command goes on from there", file=sys.stderr
            )
            return 130
        rows = [store.rows[cell.key] for cell in cells]
        _show(rows, store, folder, as_json=as_json)
    finally:
        store.compact()
        store.close()
    return 1 if any(row["error"] for row in rows) else 0


def _show(rows: list[Row], store: RowStore, folder: Path, *, as_json: bool) -> None:
    from rich.console import Console

    from zoo.report.board import current
    from zoo.speed.report.markdown import speed_markdown
    from zoo.speed.report.pictures import draw
    from zoo.speed.report.summary import speed_summary
    from zoo.speed.report.terminal import show_speed

    everything = current([row for row in read_all(folder)[0] if row.get("kind") == "speed"])
    store.write("report.md", speed_markdown(everything, draw(everything, folder)))
    if as_json:
        print(json.dumps(speed_summary(rows), indent=2))
    else:
        show_speed(Console() if sys.stdout.isatty() else Console(width=160), rows)
        print(f"rows, report.md and pictures are in {folder}")
