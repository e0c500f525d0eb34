"""The section of a board: its verdict, its tables, the runs that failed, and where the figures come from."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from zoo.report.board import Board, Line, counted, value_of, values_under
from zoo.report.classes import pairs_table
from zoo.report.gain import tuning_table
from zoo.report.pictures import first_seeds, pictures_of
from zoo.report.published import CAPTION as PUBLISHED_CAPTION
from zoo.report.published import published_table
from zoo.report.section import Captioned, Picture, Section
from zoo.report.series import series_table
from zoo.report.tables import INTERVAL, MAY_BE_BEST, accuracy_table, fold_table, target_table
from zoo.report.verdict import verdict

TUNING = ("variant", "default skill %", "tuned skill %", "gain")
TUNING_LEGEND = (
    "gain: tuned minus default skill in percentage points, mean ± standard deviation over the same seeds, on test "
    "windows that tuning did not see. Bold: a gain or loss above this deviation. tuning s: seconds of all trials."
)
FOLDS = (
    "Folds are blocks of the test part, the oldest first. Before each of them all models were trained anew on the rows "
    "until then{newest}. The table above is of all blocks together."
)
SERIES = (
    "Skill in each series, a mean over seeds; ahead of naive: series with a skill above zero. Intervals above are over "
    "times: what happens to many series at one time counts once. Pictures of forecasts show the first series."
)
TESTS = (
    " interval: of skill, for other test windows and seeds; all intervals of a table hold together with 95 %. best?: "
    "maybe, if the line is in the set that contains the best one with 95 % (model confidence set); else no."
)


def board_section(board: Board, number: int = 1) -> Section:
    """Everything about one problem but its charts; number: its place in the report, which names its pictures."""
    narrowest = ("variant", *board.task.narrow, "skill %", INTERVAL, MAY_BE_BEST)
    narrow = ((*narrowest, "seeds", "train s"), narrowest)
    blocks: list[Captioned | Picture] = [Captioned("", accuracy_table(board), legend(board), narrow)]
    if (tuning := tuning_table(board)) is not None:
        blocks.append(Captioned("What tuning gained", tuning, TUNING_LEGEND, (TUNING,)))
    if (published := published_table(board)) is not None:
        blocks.append(Captioned("Beside published figures", published, PUBLISHED_CAPTION, (("model", "scaled mse"),)))
    if (targets := target_table(board)) is not None:
        blocks.append(Captioned("Each target", targets, f"{board.task.error} of each target in its own units."))
    if (folds := fold_table(board)) is not None:
        newest = ", the newest as many as the first time" if value_of(board.first, "is_sliding") else ""
        blocks.append(Captioned("Each fold", folds, FOLDS.format(newest=newest)))
    if (series := series_table(board)) is not None:
        blocks.append(Captioned("Over the series", series, SERIES))
    if board.classes and (pairs := pairs_table(board, first_seeds(board))) is not None:
        blocks.append(pairs)
    blocks += pictures_of(number, of_classes=bool(board.classes))
    failures, provenance = list(_failures(board)), list(_provenance(board))
    return Section(board.title, verdict(board), blocks, failures, provenance, _commands(board))


def legend(board: Board) -> str:
    """How to read the table of a board, in one paragraph."""
    units = "the data's units" if len(board.targets) == 1 else "training deviations, over all targets"
    units = "training deviations of each series" if board.series > 1 else units
    share = f"{100 * (board.levels[-1] - board.levels[0]):.4g} %" if board.levels else ""
    metrics = board.task.legend.format(units=units, share=share, flat=board.flat)
    return (
        f"How to read it: {metrics} ±: standard deviation over seeds."
        f"{TESTS if board.is_tested else ''} (b): a baseline. train s: seconds of one run, "
        "while other runs may have shared the machine; zoo speed compares speed. Bold: best of its column."
    )


def _failures(board: Board) -> Iterator[str]:
    """Each run that failed, why, and the file with its traceback."""
    for line in board.lines:
        for _, run in line.failed.iterrows():
            traceback = value_of(run, "traceback")
            where = f" (traceback: {traceback})" if traceback else ""
            yield f"{line.label}, seed {run['seed']}: {run['error']}{where}"


def _commands(board: Board) -> list[str]:
    """The commands that wrote the rows, those that tuned first."""
    tuning = [value_of(line.first, "tuning.command") for line in board.tuned]
    return [command for command in dict.fromkeys([*tuning, *board.runs["command"].dropna()]) if command]


def _provenance(board: Board) -> Iterator[tuple[str, str]]:
    """Where the figures come from, as (label, text): data, split, settings, code, machine, versions, commit."""
    first = board.first
    train, valid, test = first["split"]
    span = f", {first['data.first']} to {first['data.last']}" if value_of(first, "data.first") else ""
    unit = "cases" if board.classes else "rows"
    yield "data", f"{board.source}, {first['data.rows']} {unit}{span}, fingerprint {first['data.fingerprint'][:16]}"
    yield "channels", ", ".join(first["channels"])
    own = first.get("split_of_each")
    each = f", {', '.join(map(str, own))} of each series" if isinstance(own, tuple) else ""
    unit = "cases, each part with its share of every class" if board.classes else f"rows, in time order{each}"
    yield "split", f"{train} train, {valid} validation, {test} test {unit}"
    yield "scaler", f"{first['scaler']}, fitted on train rows; normalise: {first['normalise']}"
    for note in first["data.notes"]:
        yield "note", note
    fits = [_known(values_under(line.settings, "fit.")) for line in board.lines if not line.is_tuned]
    for text in dict.fromkeys(_settings(fit) for fit in fits if fit):
        yield "training", text
    for line in board.tuned:
        yield line.label, _tuned_settings(line)
    for text in dict.fromkeys(map(_budget, board.tuned)):
        yield "tuning budget of each", text
    yield from _code(board)
    for machine in _distinct(board.runs, "machine."):
        where = machine.get("gpu") or f"{machine['cpu']}, {machine['cores']} cores"
        threads = counted(first["threads"], "thread")
        yield "machine", f"{where}, {machine['system']}; device {first['device']}, {threads} a run"
    warned = board.runs.dropna(subset="warning") if "warning" in board.runs else board.runs[:0]
    for variant, rows in warned.groupby("variant", sort=False):
        yield "warning", f"{variant}, seed {', '.join(map(str, rows['seed']))}: {rows['warning'].iloc[0]}"
    for name in ("fallback", "commit"):
        for text in board.runs[name].dropna().unique():
            yield name, str(text)
    for versions in _distinct(board.runs, "versions."):
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())


def _code(board: Board) -> Iterator[tuple[str, str]]:
    """Variants from outside the zoo with their source, and variants whose rows of an earlier code are left out."""
    for variant, rows in board.runs.groupby("variant", sort=False):
        first, earlier = rows.iloc[0], board.earlier.get(str(variant), 0)
        parts = []
        if value_of(first, "code.kind") not in (None, "zoo"):
            source = f"{first['code.kind']} {first['code.name']}".strip()
            parts.append(f"from {source}, source sha256 {first['code.sha256'][:16]}")
        if earlier:
            parts.append(f"{counted(earlier, 'row')} of earlier code left out")
        if parts:
            yield str(variant), "; ".join(parts)


def _tuned_settings(line: Line) -> str:
    searched = {name.removeprefix("fit."): line.settings.get(name) for name in line.first["tuning.study.ranges"]}
    study = values_under(line.first, "tuning.study.")
    runs = counted(study["repeats"] * (study.get("folds") or 1), "run")
    return f"{_settings(searched)} (study {study['name']}, {study['sampler']}, seed {study['seed']}, {runs} a trial)"


def _budget(line: Line) -> str:
    budget = _known(values_under(line.first, "tuning.budget."))
    return _settings({name: value for name, value in budget.items() if name != "repeats"})  # the study's count


def _settings(settings: Mapping[str, Any]) -> str:
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in settings.items()}
    return ", ".join(f"{name} {'none' if value is None else value}" for name, value in shown.items())


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _distinct(rows: pd.DataFrame, prefix: str) -> list[dict[str, Any]]:
    """The distinct combinations of the columns that begin with the prefix, under their bare names."""
    distinct: list[dict[str, Any]] = []
    own = rows[[name for name in rows if name.startswith(prefix)]].drop_duplicates()
    for row in own.to_dict("records"):
        values = _known(values_under(row, prefix))
        if values and values not in distinct:
            distinct.append(values)
    return distinct
