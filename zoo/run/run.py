"""run_suite: from a suite to stored rows, the report, and what the user sees meanwhile."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data.builtin import NAMES
from zoo.errors import InputError
from zoo.registry import variant
from zoo.run import environment, executor
from zoo.run.process import default_jobs
from zoo.run.progress import progress
from zoo.run.store import RowStore, read_rows
from zoo.run.tuned import read_tuned, tuned_cells
from zoo.space import scalar
from zoo.suite import Suite, expand, read_suite, suite_of


def suite_from(source: str, changes: Mapping[str, Mapping[str, Any]], settings: Sequence[str]) -> Suite:
    """The suite in a .toml file, or one made for a data source, with changes and `--set` settings over it.

    changes: values by section and key, None where unchanged. Raises InputError.
    """
    if source.endswith(".toml"):
        base = read_suite(Path(source)).model_dump(exclude_unset=True)
    else:
        base = {"name": source if source in NAMES else _slug(Path(source)), "data": {"source": source}}
        if changes["data"].get("targets") is None:
            from zoo.data.sources import load

            table = load(source, columns=changes["data"].get("columns"), time=changes["data"].get("time"))
            raise InputError(f"name what to forecast with --targets, one or more of: {', '.join(table.columns)}")
    for section, values in changes.items():
        given = {key: value for key, value in values.items() if value is not None}
        if given:
            base[section] = {**base.get(section, {}), **given}
    if changes["run"].get("models") is not None:
        _choose(base, changes["run"]["models"])
    for setting in settings:
        name, equals, value = setting.partition("=")
        owner, dot, parameter = name.strip().rpartition(".")
        if not (equals and dot and owner and parameter):
            raise InputError(f"--set takes VARIANT.PARAMETER=VALUE or fit.SETTING=VALUE, got '{setting}'")
        place = base.setdefault("fit", {}) if owner == "fit" else base.setdefault("models", {}).setdefault(owner, {})
        place[parameter] = scalar(value.strip())
    return suite_of(base, source)


def run_suite(
    suite: Suite,
    folder: Path,
    *,
    device: str = "auto",
    jobs: int | None = None,
    force: bool = False,
    tuned: Path | None = None,
    command: str | None = None,
    as_json: bool = False,
) -> int:
    """Measure what is not there yet, write folder/report.md, print the table; 1 if a cell failed, else 0.

    tuned: a folder that zoo tune wrote; its variants run with their tuned settings too, over the same seeds.
    Everything wrong with the request raises InputError before anything is written. Ctrl-C returns 130; the
    rows so far stay, and the same call goes on from there.
    """
    from rich.console import Console

    from zoo.report.board import summary
    from zoo.report.evidence import judged
    from zoo.report.markdown import markdown
    from zoo.report.pictures import draw_boards
    from zoo.report.predictions import stored_in
    from zoo.report.terminal import show

    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    cells, data = expand(suite, device=device)
    if tuned is not None:
        names = list(dict.fromkeys(cell.variant for cell in cells))
        found = read_tuned(tuned, names)
        cells += tuned_cells(cells, data, found)
        without = [name for name in names if name not in found and variant(name).parameters]
        if without:
            print(f"note: {tuned} holds no tuned settings of {', '.join(without)}", file=sys.stderr)
    store = RowStore(folder)
    try:
        waiting = [cell for cell in cells if force or not store.is_done(cell.key)]
        for cell in cells:
            if store.is_done(cell.key) and store.rows[cell.key].get("tuning") != cell.tuning:
                store.append(store.rows[cell.key] | {"tuning": cell.tuning})  # the study went on and found no better
        for note in data.notes:
            print(f"note: {note}", file=sys.stderr)
        if len(waiting) < len(cells):
            print(
                f"{len(cells) - len(waiting)} of {len(cells)} cells are already there (--force reruns)",
                file=sys.stderr,
            )
        context = {"commit": environment.commit(), "command": command}
        try:
            with progress(waiting) as on_event:
                executor.run(
                    waiting,
                    store,
                    jobs=jobs or default_jobs(cells[0].device),
                    context=context,
                    on_event=on_event,
                )
        except KeyboardInterrupt:
            done = sum(store.is_done(cell.key) for cell in cells)
            print(
                f"stopped: {done} of {len(cells)} cells are done; the same command goes on from there",
                file=sys.stderr,
            )
            return 130
        rows = [store.rows[cell.key] for cell in cells]
        load = stored_in(folder)
        everything, left_out = read_rows(folder)
        shown = judged(everything, load)
        store.write("report.md", markdown(shown, left_out, draw_boards(shown, load, folder)))
    finally:
        store.compact()
        store.close()
    if as_json:
        print(json.dumps(summary(judged(rows, load)), indent=2))
    else:
        show(Console() if sys.stdout.isatty() else Console(width=160), judged(rows, load))
        print(f"rows, predictions and report.md are in {folder}")
    return 1 if any(row["error"] for row in rows) else 0


def _choose(base: dict[str, Any], names: Sequence[str]) -> None:
    """Let the named variants replace the file's tags; settings of variants that no longer run go with them."""
    base["run"].pop("tags", None)
    if list(names) != ["all"]:
        base["models"] = {name: base["models"][name] for name in names if name in base.get("models", {})}


def _slug(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".csv", ".txt", ".parquet", ".tsv"):
        name = name.removesuffix(ending)
    kept = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)
    return kept.strip("-.") or "data"
