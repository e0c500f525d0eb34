"""What is in a table: columns, time span, spacing, gaps, outliers, and a command to try on it."""

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.data.spacing import spacing, stamp
from zoo.data.table import Table, class_values
from zoo.problem import LOOKBACK

JUMP = 10  # interquartile ranges of the usual step
LIKELY_TARGETS = ("close", "target", "y", "value", "price")
WINDOWS = 10  # lookbacks that the rows must hold at least, for a suggested one
LEGEND = "each column: least .. mean .. largest value"
JUMP_LEGEND = (
    f"a jump: a step to the next row more than {JUMP} interquartile ranges of all steps away from their median; an "
    "error in the data, or a real break"
)


def describe(table: Table) -> dict[str, Any]:
    """Facts of a table, as plain values.

    Per column: least, mean and largest value, missing and infinite counts, class (the two whole numbers that it holds,
    where it holds no others) and jumps: steps from one row to the next that lie more than 10 interquartile ranges of
    all steps from their median. season: steps of the season that the spacing suggests. suggestion: settings of a first
    benchmark, null where no column can be a target.
    """
    usual = spacing(table.time)
    columns = {
        name: _column(table.values[:, position])
        for position, name in enumerate(table.columns)
        if name not in table.unusable
    }
    season = usual.season if usual else None
    return {
        "source": table.source,
        "rows": len(table),
        "first": stamp(table.time[0]) if table.time is not None else None,
        "last": stamp(table.time[-1]) if table.time is not None else None,
        "spacing": usual.name if usual else None,
        "gaps": usual.gaps if usual else None,
        "season": season,
        "missing_policy": table.missing,
        "columns": columns,
        "unusable": dict(table.unusable),
        "notes": list(table.notes),
        "suggestion": _suggestion(table, columns, season),
    }


def lines(facts: dict[str, Any], options: Sequence[str] = ()) -> list[str]:
    """The facts for a reader, with a command that benchmarks the likeliest target.

    options: of the command line, that reading the source needs.
    """
    span = f", {facts['first']} to {facts['last']}" if facts["first"] else ", no time column"
    text = [f"{facts['source']}: {facts['rows']} rows{span}"]
    if facts["first"]:
        gaps = f", {facts['gaps']} longer steps" if facts["gaps"] else ""
        season = f"; likely season: {facts['season']} steps" if facts["season"] else ""
        text.append(f"spacing: {facts['spacing'] or 'irregular'}{gaps}{season}")
    text += [LEGEND] if facts["columns"] else []
    width = max((len(name) for name in facts["columns"]), default=0)
    for name, column in facts["columns"].items():
        values = [f"{column[key]:.6g}" if column[key] is not None else "-" for key in ("min", "mean", "max")]
        extra = [f"{column[key]} {key}" for key in ("missing", "infinite") if column[key]]
        extra += [f"{column['jumps']} jump{'s' * (column['jumps'] > 1)}"] if column["jumps"] else []
        extra += ["constant: not an input"] if column["constant"] else []
        extra += ["looks like a class"] if column["class"] else []
        text.append(f"  {name:<{width}}  {' .. '.join(values)}" + (f"  ({', '.join(extra)})" if extra else ""))
    text += [JUMP_LEGEND] if any(column["jumps"] for column in facts["columns"].values()) else []
    text += [f"note: {note}" for note in facts["notes"]]
    text += [f"not usable: {reason}" for name, reason in facts["unusable"].items() if "holds text" in reason]
    if facts["suggestion"]:
        chosen = [part for name, value in facts["suggestion"].items() for part in (f"--{name}", str(value))]
        text.append(f"try: {shlex.join(['zoo', 'bench', facts['source'], *chosen, *options])}")
    return text


def _suggestion(table: Table, columns: dict[str, dict[str, Any]], season: int | None) -> dict[str, Any] | None:
    """Options of zoo bench by name: the likeliest target, a lookback of whole seasons, and what the table needs.

    A target named like one wins, else the last column that varies and does not look like a class.
    """
    varying = [name for name, column in columns.items() if column["min"] is not None and not column["constant"]]
    likely = [name for name in varying if not columns[name]["class"]] or varying
    if not likely:
        return None
    target = next((name for name in likely if name.casefold() in LIKELY_TARGETS), likely[-1])
    chosen: dict[str, Any] = {"targets": target}
    lookback = season * -(-LOOKBACK // season) if season else LOOKBACK
    chosen["lookback"] = lookback if lookback * WINDOWS <= len(table) else LOOKBACK
    if len(columns) < len(table.columns):  # zoo bench would refuse the others
        chosen["channels"] = ",".join(columns)
    if table.missing == "refuse" and any(column["missing"] for column in columns.values()):
        chosen["missing"] = "ffill"
    return chosen


def jumps(known: np.ndarray) -> np.ndarray:
    """bool [n - 1]: which steps from one of these values to the next are jumps."""
    steps = np.diff(known)
    if not len(steps):
        return np.zeros(0, dtype=bool)
    low, middle, high = np.percentile(steps, [25, 50, 75])
    return np.asarray((np.abs(steps - middle) > JUMP * (high - low)) & (high > low))


def _column(values: np.ndarray) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    classes = class_values(values)
    return {
        "min": float(known.min()) if len(known) else None,
        "mean": float(known.mean()) if len(known) else None,
        "max": float(known.max()) if len(known) else None,
        "missing": int(np.isnan(values).sum()),
        "infinite": int(np.isinf(values).sum()),
        "jumps": int(jumps(known).sum()),
        "constant": bool(len(known) and known.min() == known.max()),
        "class": None if classes is None else list(classes),
    }
