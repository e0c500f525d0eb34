"""CSV: one line for each variant of each board, or for each timed cell, with plain numbers in the columns."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from zoo.report.board import Board, Row, summary
from zoo.speed.report.summary import speed_summary


def accuracy_csv(found: Sequence[Board]) -> str:
    """As `summary` has it, a column for each number; empty where there is none."""
    lines = []
    for board in summary(found):
        problem, data = board["problem"], board["data"]
        where = {
            "data": data["source"],
            "targets": " ".join(problem["targets"]),
            "horizon": problem["horizon"],
            "lookback": problem["lookback"],
            "normalise": problem["normalise"],
        }
        for line in board["lines"]:
            low, high = line["skill_interval"] or (None, None)
            shown = {**line, "tags": " ".join(line["tags"]), "failed": len(line["failed"])}
            shown["tuning"] = (line["tuning"] or {}).get("seconds")
            shown["skill_interval"] = {"low": low, "high": high}
            lines.append({**where, **shown})
    return _csv(lines)


def speed_csv(rows: Sequence[Row]) -> str:
    """Every cell with its shape, times and rates; a value with parts has a column for each."""
    lines = []
    for sheet in speed_summary(rows):
        where = {name: value for name, value in sheet.items() if name != "cells"}
        for cell in sheet["cells"]:
            params = " ".join(f"{name}={value}" for name, value in cell["params"].items())
            kept = {name: value for name, value in cell.items() if name != "search"}
            lines.append({**where, **kept, "tags": " ".join(cell["tags"]), "params": params})
    return _csv(lines)


def _csv(lines: list[dict[str, Any]]) -> str:
    """Columns in the order of the first line that has them; a value with parts has one for each: name_part."""
    parts: dict[str, list[str]] = {}
    for line in lines:
        for name, value in line.items():
            known = parts.setdefault(name, [])
            known += [part for part in value if part not in known] if isinstance(value, dict) else []
    columns = [f"{name}_{part}" if part else name for name in parts for part in parts[name] or [""]]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for line in lines:
        parted = {f"{n}_{part}": v[part] for n, v in line.items() if isinstance(v, dict) for part in v}
        writer.writerow({**line, **parted})
    return text.getvalue()
