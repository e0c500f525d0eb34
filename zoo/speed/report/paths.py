"""Paths: the algorithms expected and the kernels seen, and the sizes at which each is taken."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from zoo.report.board import Row
from zoo.speed.report.rows import asked, canonical, is_measured, size_of, sortable

LONGEST_PLACE = 160  # characters to say where a path is taken; more are no help
PATHS_LEGEND = (
    "expected is the algorithm that shapes and dtype should select, where it is known; seen are the operators (CPU) or "
    "kernels (GPU) with the largest shares of the time, in the largest cell of each line."
)


def expected_path(row: Row) -> tuple[str, str]:
    """The algorithms expected forward and backward, a dash where there is none; modules named where they differ."""
    modules = row.get("algorithm_expected") or {}

    def told(direction: str) -> str:
        found = {name: path.get(direction) for name, path in modules.items() if path.get(direction)}
        if len(set(found.values())) == 1:
            return str(next(iter(found.values())))
        return ", ".join(f"{name.removeprefix('variant.')} {path}" for name, path in found.items()) or "-"

    return told("forward"), told("backward")


def path_changes(before: Row, after: Row) -> list[tuple[str, str, str]]:
    """The direction, the path before and the path after, where what is expected differs."""
    pairs = zip(("forward", "backward"), expected_path(before), expected_path(after), strict=True)
    return [(direction, old, new) for direction, old, new in pairs if old != new]


def path_lines(rows: Sequence[Row]) -> list[tuple[str, str, str, str, str, str]]:
    """Variant, phase, where it holds, paths expected forward and backward, kernels seen: a line for each path."""
    differing = [name for name in ("mode", "dtype", "device") if len({row[name] for row in rows}) > 1]
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if is_measured(row) and row["batch_size"] != "max":
            forms = [row[name] for name in differing]
            grouped.setdefault((row["phase"], row["variant"], *forms), []).append(row)
    lines = []
    for (phase, *label), group in sorted(grouped.items(), key=lambda item: (item[0][0] != "train", item[0])):
        by_path: dict[tuple[str, str], list[Row]] = {}
        for row in sorted(group, key=size_of):
            by_path.setdefault(expected_path(row), []).append(row)
        names = _deciding(group)
        for (forward, backward), cells in by_path.items():
            where = _where(cells, group, names) if len(by_path) > 1 else "all"
            if len(where) > LONGEST_PLACE:
                where = f"{len(cells)} of {len(group)} cells"
            lines.append((", ".join(label), phase, where, forward, backward, _seen(max(cells, key=size_of))))
    return lines


def _deciding(rows: Sequence[Row]) -> list[str]:
    """The fewest names of `asked` whose values decide the path; parameters are kept before shapes."""
    settings = [(asked(row), expected_path(row)) for row in rows]
    kept = [name for name in settings[0][0] if len({canonical(given.get(name)) for given, _ in settings}) > 1]
    for name in list(kept):
        fewer = [other for other in kept if other != name]
        paths: dict[tuple[str, ...], set[tuple[str, str]]] = {}
        for given, path in settings:
            paths.setdefault(tuple(canonical(given.get(other)) for other in fewer), set()).add(path)
        if all(len(found) == 1 for found in paths.values()):
            kept = fewer
    return kept


def _where(cells: Sequence[Row], everything: Sequence[Row], names: Sequence[str]) -> str:
    """The values of the deciding names at which the cells lie, as ranges of what was measured."""
    if not names:
        return ""
    first, *rest = names
    known = sorted({asked(row).get(first) for row in everything}, key=sortable)
    by_value = {each: [row for row in cells if asked(row).get(first) == each] for each in known}
    within: dict[str, set[Any]] = {}
    for each, found in by_value.items():
        if found:
            within.setdefault(_where(found, everything, rest), set()).add(each)
    name = first.removeprefix("params.")
    return "; ".join(f"{text} at " * bool(text) + f"{name} {_ranges(some, known)}" for text, some in within.items())


def _ranges(chosen: set[Any], known: Sequence[Any]) -> str:
    """Chosen values in words: neighbours among the known ones make a range."""
    places = [place for place, number in enumerate(known) if number in chosen]
    runs = [[place for _, place in run] for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{known[run[0]]}-{known[run[-1]]}" if len(run) > 1 else str(known[run[0]]) for run in runs)


def _seen(row: Row) -> str:
    """The three operators or kernels that took most of the time."""
    top = (row.get("kernels_seen") or [])[:3]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in top) or "-"
