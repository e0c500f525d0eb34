"""What is in a table: columns, time span, spacing, gaps, outliers, and a command to try on it."""

import shlex
from typing import Any

import numpy as np

from zoo.data.spacing import spacing, stamp
from zoo.data.table import Table

JUMP = 10  # interquartile ranges of the usual step


def describe(table: Table) -> dict[str, Any]:
    """Facts of a table, as plain values.

    Per column: least, mean and largest value, missing and infinite counts, and jumps: steps from one row
    to the next that lie more than 10 interquartile ranges of all steps from their median.
    """
    usual = spacing(table.time)
    return {
        "source": table.source,
        "rows": len(table),
        "first": stamp(table.time[0]) if table.time is not None else None,
        "last": stamp(table.time[-1]) if table.time is not None else None,
        "spacing": usual.name if usual else None,
        "gaps": usual.gaps if usual else None,
        "missing_policy": table.missing,
        "columns": {
            name: _column(table.values[:, position])
            for position, name in enumerate(table.columns)
            if name not in table.unusable
        },
        "unusable": dict(table.unusable),
        "notes": list(table.notes),
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """The facts for a reader, with a command that benchmarks the likeliest target."""
    span = f", {facts['first']} to {facts['last']}" if facts["first"] else ", no time column"
    text = [f"{facts['source']}: {facts['rows']} rows{span}"]
    if facts["first"]:
        gaps = f", {facts['gaps']} longer steps" if facts["gaps"] else ""
        text.append(f"spacing: {facts['spacing'] or 'irregular'}{gaps}")
    width = max((len(name) for name in facts["columns"]), default=0)
    for name, column in facts["columns"].items():
        values = [f"{column[key]:.6g}" if column[key] is not None else "-" for key in ("min", "mean", "max")]
        extra = [f"{column[key]} {key}" for key in ("missing", "infinite", "jumps") if column[key]]
        extra += ["constant"] if column["constant"] else []
        text.append(f"  {name:<{width}}  {' .. '.join(values)}" + (f"  ({', '.join(extra)})" if extra else ""))
    text += [f"note: {note}" for note in facts["notes"]]
    text += [f"not usable: {reason}" for name, reason in facts["unusable"].items() if "holds text" in reason]
    usable = [name for name, column in facts["columns"].items() if not column["constant"]]
    if usable:
        target = next((name for name in usable if name.casefold() in ("close", "target", "y", "value")), usable[-1])
        has_gaps = facts["missing_policy"] == "refuse" and any(c["missing"] for c in facts["columns"].values())
        missing = " --missing ffill" if has_gaps else ""
        text.append(f"try: zoo bench {shlex.quote(facts['source'])} --targets {shlex.quote(target)}{missing}")
    return text


def _column(values: np.ndarray) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    steps = np.diff(known)
    jumps = 0
    if len(steps):
        low, middle, high = np.percentile(steps, [25, 50, 75])
        jumps = int((np.abs(steps - middle) > JUMP * (high - low)).sum()) if high > low else 0
    return {
        "min": float(known.min()) if len(known) else None,
        "mean": float(known.mean()) if len(known) else None,
        "max": float(known.max()) if len(known) else None,
        "missing": int(np.isnan(values).sum()),
        "infinite": int(np.isinf(values).sum()),
        "jumps": jumps,
        "constant": bool(len(known) and known.min() == known.max()),
    }
