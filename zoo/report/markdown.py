"""Markdown: rows become report.md, the same text for the same rows."""

import json
from collections.abc import Sequence
from typing import Any

from zoo.report.board import Board, Line, Row, current
from zoo.report.tables import accuracy_table, target_table, tuning_table
from zoo.report.text_table import escaped, markdown_table
from zoo.report.verdict import verdict

PICTURES = {
    "skill": "skill of every seed against naive, with the 95 % interval over seeds and test windows",
    "trade": "rmse over training throughput, and the front of the best trades",
    "forecast": "the last forecasts of the best variant, one step ahead, and what came",
}
TUNING_LEGEND = (
    "gain: tuned minus default skill in percentage points, mean ± standard deviation over the same seeds, none of "
    "which tuning used; bold where it exceeds that spread, up or down; tuning s: seconds of all trials together."
)


def markdown(found: Sequence[Board], left_out: Sequence[str] = (), pictures: Sequence[str] = ()) -> str:
    """A report with one section for each board.

    left_out: sentences on what is missing; pictures: files beside the report, as `draw_boards` names them.
    """
    suites = list(dict.fromkeys(row["suite"] for board in found for row in board.rows))
    parts = [f"# {', '.join(suites)}"]
    for number, board in enumerate(found, start=1):
        parts += _section(board, {name: picture_name(name, number) for name in PICTURES}, pictures)
    parts += [f"- {sentence}" for sentence in left_out]
    return "\n\n".join(parts) + "\n"


def picture_name(name: str, number: int) -> str:
    """The file of a board's picture; number counts boards from 1."""
    return f"{name}.png" if number == 1 else f"{name}-{number}.png"


def _section(board: Board, names: dict[str, str], pictures: Sequence[str]) -> list[str]:
    problem = board.problem
    targets = ", ".join(problem["targets"])
    parts = [
        f"## {escaped(targets)} of {escaped(board.data['source'])}: {problem['horizon']} "
        f"step{'s' * (problem['horizon'] != 1)} ahead from {problem['lookback']}",
        *(
            f"**{sentence}**" if number == 0 else sentence
            for number, sentence in enumerate(map(escaped, verdict(board)))
        ),
        markdown_table(accuracy_table(board)),
        legend(board),
    ]
    tuning = tuning_table(board)
    if tuning is not None:
        parts += [markdown_table(tuning), TUNING_LEGEND]
    per_target = target_table(board)
    if per_target is not None:
        parts.append(markdown_table(per_target))
    parts += [f"![{PICTURES[name]}]({path})" for name, path in names.items() if path in pictures]
    failures = [(row, line) for line in board.lines for row in line.failed]
    if failures:
        parts.append(
            "\n".join(f"- {escaped(line.label)}, seed {r['seed']}: {escaped(r['error'])}" for r, line in failures)
        )
    parts.append("\n".join(f"- {escaped(label)}: {escaped(text)}" for label, text in provenance(board)))
    tuned = [line.tuning["command"] for line in board.lines if line.tuning is not None]
    commands = [text for text in dict.fromkeys([*tuned, *(row["command"] for row in board.rows)]) if text]
    parts.append("Run it again:\n\n" + "\n".join(f"    {command}" for command in commands))
    return parts


def legend(board: Board) -> str:
    """What the columns are, in one paragraph."""
    units = "the data's units" if len(board.problem["targets"]) == 1 else "training deviations, over all targets"
    tests = ""
    if any(line.p_naive is not None for line in board.lines):
        tests = (
            "; its 95 % interval is a paired moving-block bootstrap over test windows and seeds; p: Diebold-Mariano "
            "against naive on squared errors (Harvey, Leybourne and Newbold's form), after Holm's correction"
        )
    return (
        f"rmse and mae in {units}; ± is the standard deviation over seeds (of training's chance, not "
        "of the test period's); skill = 1 - rmse / naive's rmse on the "
        f"same windows{tests}; (b) marks baselines; train s is the mean of one run, windows/s of training."
    )


def provenance(board: Board) -> list[tuple[str, str]]:
    """Where the figures come from, as (label, text): data, split, settings, machine, versions, commit."""
    data, problem, first = board.data, board.problem, board.rows[0]
    train, valid, test = problem["split"]
    span = f", {data['first']} to {data['last']}" if data.get("first") else ""
    lines = [
        ("data", f"{data['source']}, {data['rows']} rows{span}, fingerprint {data['fingerprint'][:16]}"),
        ("channels", ", ".join(problem["channels"])),
        ("split", f"{train} train, {valid} validation, {test} test rows, in time order"),
        (
            "scaler",
            f"{problem['scaler']}, fitted on train rows; windows normalised: {problem['normalise']}",
        ),
    ]
    lines += [("note", note) for note in data.get("notes", [])]
    fits = _distinct([row for row in board.rows if not row.get("tuning")], "fit")
    lines += [("training", ", ".join(f"{key} {value}" for key, value in fit.items())) for fit in fits]
    for line in board.lines:
        if line.tuning is not None:
            lines.append((line.label, _tuned_settings(line)))
    kept = current(board.rows)
    for variant, plugin in {row["variant"]: row["plugin"] for row in kept if row.get("plugin")}.items():
        kind = "file" if "file" in plugin else "package"
        earlier = sum(row["variant"] == variant for row in board.rows) - sum(row["variant"] == variant for row in kept)
        aside = f"; {earlier} row{'s' * (earlier > 1)} of an earlier source left out" if earlier else ""
        lines.append((variant, f"of {kind} {plugin[kind]}, source sha256 {plugin['sha256'][:16]}{aside}"))
    budgets = [json.dumps(line.tuning["budget"]) for line in board.lines if line.tuning is not None]
    for budget in dict.fromkeys(budgets):
        given = {name: value for name, value in json.loads(budget).items() if value is not None}
        lines.append(("tuning budget of each", _listed(given)))
    for machine in _distinct(board.rows, "machine"):
        where = machine.get("gpu") or f"{machine['cpu']}, {machine['cores']} cores"
        lines.append(
            (
                "machine",
                f"{where}, {machine['system']}; device {first['device']}, {first['threads']} thread a cell",
            )
        )
    lines += [("fallback", text) for text in _distinct(board.rows, "fallback")]
    lines += [
        ("versions", ", ".join(f"{k} {v}" for k, v in found.items())) for found in _distinct(board.rows, "versions")
    ]
    lines += [("commit", text) for text in _distinct(board.rows, "commit")]
    return lines


def _tuned_settings(line: Line) -> str:
    row, tuning = line.first, line.tuning
    assert tuning is not None
    ranges = tuning["study"]["ranges"]
    fit = {name: value for name, value in (row["fit"] or {}).items() if f"fit.{name}" in ranges}
    lookback = {} if row["problem"]["lookback"] == tuning["lookback"] else {"lookback": row["problem"]["lookback"]}
    study = f"study {tuning['study']['name']}, {tuning['study']['sampler']}, seed {tuning['study']['seed']}"
    return f"{_listed({**lookback, **row['params'], **fit})} ({study})"


def _listed(settings: dict[str, Any]) -> str:
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in settings.items()}
    return ", ".join(f"{name} {'none' if value is None else value}" for name, value in shown.items())


def _distinct(rows: Sequence[Row], name: str) -> list[Any]:
    found = []
    for row in rows:
        if row.get(name) is not None and row[name] not in found:
            found.append(row[name])
    return found
