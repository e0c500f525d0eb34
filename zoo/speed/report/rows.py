"""Speed rows: their fields, their labels, and which of them are compared."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from zoo.report.board import Row

ASKED = ("lookback", "batch_size", "mode", "dtype", "device", "threads", "channels", "horizon", "normalise", "phase")
PLACE = ("machine", "device", "threads", "channels", "horizon", "normalise")  # what all lines of a sheet share
CEILINGS = ("flops_per_second", "bytes_per_second")
PLAIN_FORM = ("eager", "float32")  # mode and dtype


def value(row: Row | None, *names: str) -> Any:
    """A field of a row, or of the fields in it; None where anything on the way is missing."""
    found: Any = row
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def is_measured(row: Row) -> bool:
    """Whether a row holds a step time and what it makes in windows a second."""
    found = (value(row, "step_seconds", "median"), value(row, "windows_per_second", "median"))
    return row.get("error") is None and all(found)


def asked(row: Row) -> dict[str, Any]:
    """What the cell was asked to be, flat: all in which two rows can differ, the machine included."""
    params = {f"params.{name}": row["params"][name] for name in sorted(row["params"])}
    machine = value(row, "machine", "gpu") or value(row, "machine", "cpu")
    return {"variant": row["variant"], "machine": machine, **{name: row[name] for name in ASKED}, **params}


def intensity(row: Row) -> float:
    """FLOP for each byte that a step must move; 0 where either is unknown."""
    if not row.get("flops_per_window") or not row.get("bytes_per_step"):
        return 0.0
    return float(row["flops_per_window"] * row["batch_size"] / row["bytes_per_step"])


def place_of(row: Row) -> str:
    """Machine, device and the rest of PLACE as one text, which sorts and can be read back as JSON."""
    settings = asked(row)
    return canonical({name: settings[name] for name in PLACE})


def parameter_count(rows: Iterable[Row]) -> int | None:
    """How many parameters the model of these rows has; None where none was built."""
    return next((row["parameter_count"] for row in rows if row.get("parameter_count") is not None), None)


def labels(rows: Sequence[Row], without: str = "") -> dict[str, str]:
    """A label for each row's key: its variant, the parameters in which its namesakes differ, its mode and dtype.

    without: a parameter to leave out. Mode and dtype are named where rows differ in them, eager and float32 not.
    """
    settings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        settings.setdefault(row["variant"], []).append(row["params"])
    differing = {
        variant: [
            name
            for name in sorted({name for params in found for name in params} - {without})
            if len({canonical(params.get(name)) for params in found}) > 1
        ]
        for variant, found in settings.items()
    }
    plain = dict(zip(("mode", "dtype"), PLAIN_FORM, strict=True))
    forms = [name for name in plain if len({row[name] for row in rows}) > 1]
    found = {}
    for row in rows:
        shown = [f"{name}={row['params'].get(name)}" for name in differing[row["variant"]]]
        label = f"{row['variant']} ({', '.join(shown)})" if shown else str(row["variant"])
        found[row["key"]] = ", ".join([label, *(row[name] for name in forms if row[name] != plain[name])])
    return found


def usual(rows: Sequence[Row]) -> list[Row]:
    """Rows of one set of parameters for each variant: those measured most, of several the one in the middle."""
    by_variant: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        by_variant.setdefault(row["variant"], {}).setdefault(canonical(row["params"]), []).append(row)
    chosen = []
    for groups in by_variant.values():
        counts = {params: sum(map(is_measured, group)) for params, group in groups.items()}
        most = [params for params, count in counts.items() if count == max(counts.values())]
        chosen += groups[middle(sorted(most, key=lambda params: (parameter_count(groups[params]) or 0, params)))]
    return chosen


def main_form(rows: Sequence[Row]) -> tuple[str, str]:
    """The mode and dtype that others are compared with: eager float32 where it is there, else the most frequent."""
    counts = Counter((row["mode"], row["dtype"]) for row in rows)
    return max(counts, key=lambda form: (form == PLAIN_FORM, counts[form]))


def thinned(values: Sequence[int], most: int) -> list[int]:
    """At most so many of the values, evenly chosen, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def size_of(row: Row) -> tuple[Any, ...]:
    """A key that puts small cells before large ones."""
    batch = 0 if row["batch_size"] == "max" else row["batch_size"]
    return (batch * row["lookback"], batch, [sortable(row["params"][name]) for name in sorted(row["params"])])


def sortable(thing: Any) -> tuple[bool, Any]:
    """A key that puts numbers in order, before all else as text."""
    is_number = isinstance(thing, int | float)
    return (not is_number, thing if is_number else str(thing))


def middle(values: Sequence[Any]) -> Any:
    """The one in the middle of values in order, of an even number the later."""
    return values[len(values) // 2]


def canonical(thing: Any) -> str:
    """The same text for equal values, to group and to sort by."""
    return json.dumps(thing, sort_keys=True)
