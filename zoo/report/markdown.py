"""Markdown: boards become report.md, the same text for the same rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from zoo.report.board import Board, Line, counted, value_of
from zoo.report.pictures import PICTURES, picture_name
from zoo.report.tables import accuracy_table, target_table, tuning_table
from zoo.report.text_table import escaped, markdown_list, markdown_table
from zoo.report.verdict import verdict

TUNING_LEGEND = (
    "gain: tuned minus default skill in percentage points, mean ± standard deviation over the same seeds, none of "
    "which tuning used; bold where it exceeds that spread, up or down; tuning s: seconds of all trials together."
)


def markdown(boards: Sequence[Board], left_out: Sequence[str] = (), pictures: Sequence[str] = ()) -> str:
    """A report with one section for each board.

    left_out: sentences on what is missing; pictures: files beside the report, as `draw_boards` names them.
    """
    suites = dict.fromkeys(str(name) for board in boards for name in board.runs["suite"])
    parts = [f"# {escaped(', '.join(suites))}"]
    for number, board in enumerate(boards, start=1):
        parts += _section(board, {name: picture_name(name, number) for name in PICTURES}, pictures)
    if left_out:
        parts += ["## Left out", markdown_list(left_out)]
    return "\n\n".join(parts) + "\n"


def _section(board: Board, names: Mapping[str, str], pictures: Sequence[str]) -> list[str]:
    answer, *findings = verdict(board)
    parts = [f"## {escaped(board.title)}", f"**{escaped(answer)}**"]
    parts += [markdown_table(accuracy_table(board)), escaped(legend(board))]
    parts += [markdown_list(findings)] if findings else []
    tuning, per_target = tuning_table(board), target_table(board)
    if tuning is not None:
        parts += ["### Tuning", markdown_table(tuning), TUNING_LEGEND]
    if per_target is not None:
        parts += ["### Each target", markdown_table(per_target), "rmse of each target in its own units."]
    parts += [f"![{PICTURES[name]}]({path})" for name, path in names.items() if path in pictures]
    if errors := failures(board):
        parts += ["### Failed runs", markdown_list(errors)]
    parts += ["### How it was measured", markdown_list(f"{label}: {text}" for label, text in provenance(board))]
    commands = [value_of(line.first, "tuning.command") for line in board.lines if line.is_tuned]
    distinct = dict.fromkeys(filter(None, [*commands, *board.runs["command"].dropna()]))
    if distinct:
        parts.append("Run it again:\n\n" + "\n".join(f"    {command}" for command in distinct))
    return parts


def legend(board: Board) -> str:
    """How to read the table of a board, in one paragraph."""
    units = "the data's units" if len(board.targets) == 1 else "training deviations, over all targets"
    tests = ""
    if board.is_tested:
        tests = (
            " 95 % interval: of skill, by a paired moving-block bootstrap over test windows and seeds. p: p-value of "
            "equal accuracy with naive, by Diebold-Mariano on squared errors (Harvey, Leybourne and Newbold's form) "
            "after Holm's correction."
        )
    return (
        f"How to read it: rmse and mae are in {units}, lower is better. skill: 1 - rmse / naive's rmse on the same "
        "windows, above 0 is better than naive, which repeats the last value. ±: standard deviation over seeds (the "
        f"randomness of training, not of the test period).{tests} (b): a baseline. train s: seconds of one training "
        "run, the mean over seeds. windows/s: training speed. Bold: the best of a column."
    )


def failures(board: Board) -> list[str]:
    """Each run that failed, why, and the file with its traceback."""
    sentences = []
    for line in board.lines:
        for _, run in line.failed.iterrows():
            traceback = value_of(run, "traceback")
            where = f" (traceback: {traceback})" if traceback else ""
            sentences.append(f"{line.label}, seed {run['seed']}: {run['error']}{where}")
    return sentences


def provenance(board: Board) -> list[tuple[str, str]]:
    """Where the figures come from, as (label, text): data, split, settings, code, machine, versions, commit."""
    first = board.first
    train, valid, test = first["split"]
    span = f", {first['data.first']} to {first['data.last']}" if value_of(first, "data.first") else ""
    lines = [
        ("data", f"{board.source}, {first['data.rows']} rows{span}, fingerprint {first['data.fingerprint'][:16]}"),
        ("channels", ", ".join(first["channels"])),
        ("split", f"{train} train, {valid} validation, {test} test rows, in time order"),
        ("scaler", f"{first['scaler']}, fitted on train rows; normalise: {first['normalise']}"),
    ]
    lines += [("note", note) for note in first["data.notes"]]
    fits = [fit for line in board.lines if not line.is_tuned and (fit := _starting(line.settings, "fit."))]
    lines += [("training", text) for text in dict.fromkeys(map(_settings, fits))]
    lines += [(line.label, _tuned_settings(line)) for line in board.lines if line.is_tuned]
    budgets = [_budget(line) for line in board.lines if line.is_tuned]
    lines += [("tuning budget of each", text) for text in dict.fromkeys(budgets)]
    lines += _code(board)
    for machine in _distinct(board.runs, "machine."):
        where = machine.get("gpu") or f"{machine['cpu']}, {machine['cores']} cores"
        threads = counted(first["threads"], "thread")
        lines.append(("machine", f"{where}, {machine['system']}; device {first['device']}, {threads} a run"))
    for name in ("fallback", "commit"):
        lines += [(name, str(text)) for text in board.runs[name].dropna().unique()]
    for versions in _distinct(board.runs, "versions."):
        lines.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    return lines


def _code(board: Board) -> list[tuple[str, str]]:
    """Variants from outside the zoo with their source, and variants whose rows of an earlier code are left out."""
    lines = []
    for variant, rows in board.runs.groupby("variant", sort=False):
        first, earlier = rows.iloc[0], board.earlier.get(str(variant), 0)
        parts = []
        if value_of(first, "code.kind") not in (None, "zoo"):
            source = f"{first['code.kind']} {first['code.name']}".strip()
            parts.append(f"from {source}, source sha256 {first['code.sha256'][:16]}")
        if earlier:
            parts.append(f"{counted(earlier, 'row')} of an earlier code left out")
        lines += [(str(variant), "; ".join(parts))] if parts else []
    return lines


def _tuned_settings(line: Line) -> str:
    searched = {name.removeprefix("fit."): line.settings.get(name) for name in line.first["tuning.study.ranges"]}
    study = _starting(dict(line.first), "tuning.study.")
    runs = counted(study["repeats"], "run")
    return f"{_settings(searched)} (study {study['name']}, {study['sampler']}, seed {study['seed']}, {runs} a trial)"


def _budget(line: Line) -> str:
    budget = _starting(dict(line.first), "tuning.budget.")
    return _settings({name: value for name, value in budget.items() if name != "repeats"})  # the study's count


def _settings(settings: Mapping[str, Any]) -> str:
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in settings.items()}
    return ", ".join(f"{name} {'none' if value is None else value}" for name, value in shown.items())


def _starting(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    known = {name: value_of(values, name) for name in values if name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in known.items() if value is not None}


def _distinct(rows: pd.DataFrame, prefix: str) -> list[dict[str, Any]]:
    """The distinct combinations of the columns that begin with the prefix, under their bare names."""
    names = [name for name in rows if name.startswith(prefix)]
    distinct: list[dict[str, Any]] = []
    for _, row in rows[names].drop_duplicates().iterrows():
        values = _starting(dict(row), prefix)
        if values and values not in distinct:
            distinct.append(values)
    return distinct
