"""What is in a table: columns, time span, spacing, gaps, outliers, and settings to try on it, with their reasons."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from zoo.data.advice import Advice, advice_on, advised_settings
from zoo.data.outliers import POLICIES, fit_outliers
from zoo.data.spacing import spacing, stamp
from zoo.data.split import SHARES
from zoo.data.table import Table, class_values, match_columns

CLEANING = POLICIES[1:]
JUMP = 10  # interquartile ranges of the usual step
LIKELY_TARGETS = ("close", "target", "y", "value", "price")
DEFAULTS = {"normalise": "last", "scaler": "standard"}
LEGEND = "each column: least .. mean .. largest value"
JUMP_LEGEND = (
    f"a jump: a step to the next row more than {JUMP} interquartile ranges of all steps away from their median; an "
    "error in the data, or a real break"
)


def describe(table: Table, target: str | None = None) -> dict[str, Any]:
    """Facts of a table, as plain values; target: the column to advise on (default: the likeliest).

    Per column: least, mean and largest value, missing and infinite counts, class (the two whole numbers that it holds,
    where it holds no others) and jumps: steps from one row to the next that lie more than 10 interquartile ranges of
    all steps from their median; outliers: how many values each policy of --outliers would change, with the limits of
    clip from the first 70 % of the rows. season: steps of the season that the spacing suggests. advice: settings that
    the target asks for, each with its reason; of several series advised_series says which one asks. suggestion: the
    settings of a first benchmark, null where no column can be a target. Raises InputError for a target that the table
    does not have, or that holds text.
    """
    usual = spacing(table.time)
    columns = {
        name: _column(table.values[:, position])
        for position, name in enumerate(table.columns)
        if name not in table.unusable
    }
    season = usual.season if usual else None
    if target is None:
        target = _likely_target(columns)
    else:
        (target,) = match_columns([target], (*table.columns, *table.unusable), table.source)
        table.select([target])
    every = table.of_each_series()
    name, one = max(every.items(), key=lambda pair: len(pair[1]))
    advice = advice_on(one.select([target])[:, 0], season) if target is not None else []
    suggestion = None
    if target is not None:
        suggestion, why = _suggestion(one, columns, target)
        advice += [Advice("channels", suggestion["channels"], why)] if why is not None else []
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
        "advice": [asdict(each) for each in advice],
        "advised_series": None if table.series is None else f"'{name}', the longest of {len(every)}",
        "suggestion": suggestion,
    }


def lines(facts: dict[str, Any], options: Sequence[str] = (), source: str | None = None) -> list[str]:
    """The facts for a reader, with a command that benchmarks the likeliest target.

    options: of the command line, that reading the source needs; source: as it was typed.
    """
    span = f", {facts['first']} to {facts['last']}" if facts["first"] else ", no time column"
    text = [f"{facts['source']}: {facts['rows']} rows{span}"]
    if facts["first"]:
        gaps = f", {facts['gaps']} longer step{'s' * (facts['gaps'] > 1)}" if facts["gaps"] else ""
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
    if any(column["jumps"] for column in facts["columns"].values()):
        text.append(JUMP_LEGEND)
        for policy in CLEANING:
            counts = {name: column["outliers"][policy] for name, column in facts["columns"].items()}
            changed = [f"{count} of {name}" for name, count in counts.items() if count]
            text.append(f"--outliers {policy} would change what models read: {', '.join(changed) or 'nothing'}")
    text += [f"note: {note}" for note in facts["notes"]]
    text += [f"not usable: {reason}" for name, reason in facts["unusable"].items() if "holds text" in reason]
    if facts["suggestion"]:
        rows = f" of series {facts['advised_series']}" if facts["advised_series"] else ""
        text.append(f"what {facts['suggestion']['targets']} asks for, by the rows{rows} before the usual test part:")
        for each in facts["advice"]:
            text.append(
                f"  --{each['option']} {each['value']}: {each['reason']}" if each["option"] else f"  {each['reason']}"
            )
        chosen = [part for name, value in facts["suggestion"].items() for part in (f"--{name}", str(value))]
        if any(column["infinite"] for column in facts["columns"].values()):
            text.append("zoo bench refuses infinite values: correct or remove them first")
        text.append(f"try: {shlex.join(['zoo', 'bench', source or facts['source'], *chosen, *options])}")
    return text


def _likely_target(columns: dict[str, dict[str, Any]]) -> str | None:
    """A column named like a target, else the last one that varies and does not look like a class."""
    varying = [name for name, column in columns.items() if column["min"] is not None and not column["constant"]]
    likely = [name for name in varying if not columns[name]["class"]] or varying
    if not likely:
        return None
    return next((name for name in likely if name.casefold() in LIKELY_TARGETS), likely[-1])


def _suggestion(table: Table, columns: dict[str, dict[str, Any]], target: str) -> tuple[dict[str, Any], str | None]:
    """Options of zoo bench by name: the target, what --advised would set beside the defaults, and usable columns; and
    why the advice leaves out some of these, None where it does not."""
    wanted, reasons = advised_settings(table, [target], None, 1)
    usable = wanted.pop("channels", list(columns))
    chosen: dict[str, Any] = {"targets": target}
    wanted = {name: wanted[name] for name in ("lookback", "normalise", "scaler", "missing") if name in wanted}
    chosen |= {name: value for name, value in wanted.items() if value != DEFAULTS.get(name)}
    if len(usable) < len(table.columns):  # zoo bench would refuse the others
        chosen["channels"] = ",".join(usable)
    return chosen, reasons.get("channels")


def jumps(known: np.ndarray) -> np.ndarray:
    """bool [n - 1]: which steps from one of these values to the next are jumps."""
    steps = np.diff(known)
    if not len(steps):
        return np.zeros(0, dtype=bool)
    low, middle, high = np.percentile(steps, [25, 50, 75])
    return np.asarray((np.abs(steps - middle) > JUMP * (high - low)) & (high > low))


def _outliers(known: np.ndarray, policy: str) -> int:
    """How many of these values [n] a policy changes that is fitted on the usual training rows."""
    train = known[: int(SHARES[0] * len(known)), None]
    outliers = fit_outliers(policy, train) if len(train) else None
    return 0 if outliers is None else int((outliers.cleaned(known[:, None])[:, 0] != known).sum())


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
        "outliers": {policy: _outliers(known, policy) for policy in CLEANING},
        "constant": bool(len(known) and known.min() == known.max()),
        "class": None if classes is None else list(classes),
    }
