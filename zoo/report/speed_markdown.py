"""Markdown of speed rows: report.md, the same text for the same rows."""

import json
import re
import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from tabulate import tabulate

from zoo.report.board import Row
from zoo.report.markdown import escaped, pipe_table
from zoo.report.speed import (
    asked,
    cell_name,
    cliff_sentences,
    cost_table,
    expected_path,
    fullest,
    is_measured,
    labels,
    lookback_table,
    scaling_table,
    scalings,
    sheets,
    short,
    speed_verdict,
    throughput_table,
    value,
)
from zoo.report.tables import Text, TextTable

ORDER = ("device", "variant", "phase", "mode", "dtype", "threads", "channels", "horizon", "normalise")
MOST_NAMED = 5  # cells of a kind that are named; more are only counted
LONGEST_PLACE = 160  # characters to say where a path is taken; more are no help
PICTURES = {
    "windows-per-second": "windows per second over batch size, with the range from the 5th to the 95th percentile",
    "roofline": "achieved FLOP/s over arithmetic intensity, under the measured ceilings",
    "cliffs": "time per window over the size of the model",
    "scaling": "step time over batch size and over lookback",
}
THROUGHPUT_LEGEND = (
    "Windows per second at each batch size, the median over repeats; bold is the fastest that is no baseline, "
    "(b) marks a baseline; ~ marks a cell whose 95 % interval was still wider than ± 2 % when its time was up, † one "
    "where a mode other than the one asked for was measured; - was not asked for."
)
COST_LEGEND = (
    "ms/step is the median time of one step, ± the half width of its 95 % interval; forward, backward and optimizer "
    "are shares of the time of an eager training step; p50, p95 and p99 are percentiles of the latency of one forecast "
    "at batch 1; peak MB is the most memory that torch's allocator held during a step (10^6 bytes; weights, optimizer "
    "state and input included); kFLOP/window counts matrix products and convolutions, 2 for each multiply-add; "
    "ceiling % is the least possible time of the step (the larger of its arithmetic and its memory traffic at the "
    "measured ceilings) over the time measured."
)
CACHES_LEGEND = (
    "On the CPU the share of the ceiling can exceed 100 %: the memory ceiling is that of main memory, and small data "
    "stay in the caches."
)
PICTURES_LEGEND = "The pictures leave baselines out, which are so much faster that nothing else could be told apart."
PATHS_LEGEND = (
    "expected is the algorithm that shapes and dtype should select, where it is known; seen are the operators (CPU) or "
    "kernels (GPU) with the largest shares of the time, in the largest cell of each line."
)
SCALING_LEGEND = (
    "k is the exponent in step time ~ size^k, by least squares on logarithms, with the range of sizes that it holds "
    "for: 1 is proportional, below 1 fixed costs dominate, above 1 a larger size costs more than its share."
)
LARGEST_LEGEND = (
    "largest batch is the largest that ran and what stopped the search there; best windows/s is the highest median "
    "among the batch sizes tried, reached at the batch beside it; peak MB (10^6 bytes) is the memory there."
)


def speed_markdown(rows: Sequence[Row], pictures: Sequence[str] = ()) -> str:
    """The report of all speed rows; pictures are file names relative to the report, put where they belong."""
    rows = sorted(rows, key=lambda row: (row["batch_size"] == "max", _text([row[name] for name in ORDER]), _size(row)))
    parts = [f"# {escaped(', '.join(sorted({row['suite'] for row in rows})))}", escaped(_what(rows))]
    first, *more = map(escaped, speed_verdict(rows))
    parts += [f"**{first}**", *more, *_throughput(rows, pictures), *_cost(rows, pictures), *_paths(rows)]
    sentences = cliff_sentences(rows)
    if sentences:
        parts += ["## Cliffs: bigger, and yet faster", _bullets(sentences), *_picture("cliffs", pictures)]
    parts += _scaling(rows, pictures)
    largest = largest_table(rows)
    if largest is not None:
        parts += ["## Largest batch", pipe_table(largest), LARGEST_LEGEND]
    parts += ["## Method", *map(escaped, method(rows))]
    names = labels(rows)
    failed = [f"{cell_name(row, names)}: {row.get('error') or 'no time'}" for row in rows if not is_measured(row)]
    if failed:
        parts.append("Cells that failed:\n\n" + _bullets(failed))
    parts.append("Measured with:\n\n" + _bullets(f"{label}: {text}" for label, text in speed_provenance(rows)))
    commands = dict.fromkeys(row["command"] for row in rows if row.get("command"))
    if commands:
        parts.append("Run it again:\n\n" + "\n".join(f"    {command}" for command in commands))
    return "\n\n".join(parts) + "\n"


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
        for row in sorted(group, key=_size):
            by_path.setdefault(expected_path(row), []).append(row)
        names = _deciding(group)
        for (forward, backward), cells in by_path.items():
            where = _where(cells, group, names) if len(by_path) > 1 else "all"
            if len(where) > LONGEST_PLACE:
                where = f"{len(cells)} of {len(group)} cells"
            lines.append((", ".join(label), phase, where, forward, backward, _seen(max(cells, key=_size))))
    return lines


def largest_table(rows: Sequence[Row]) -> TextTable | None:
    """What the search for the largest batch found, a line for each; None where none was searched for."""
    names = labels(rows)
    found = [row for row in rows if row["batch_size"] == "max" and is_measured(row)]
    if not found:
        return None
    lines = [
        (
            names[row["key"]],
            row["phase"],
            f"{row['lookback']:,}",
            _counted(value(row, "search", "largest")),
            value(row, "search", "limit") or "-",
            _counted(value(row, "windows_per_second", "median")),
            _counted(row.get("batch_measured")),
            short(value(row, "peak_memory_bytes"), 1e-6),
        )
        for row in found
    ]
    header = ("variant", "phase", "lookback", "largest batch", "limited by", "best windows/s", "at batch", "peak MB")
    cells = tuple(tuple(Text(str(text)) for text in line) for line in lines)
    return TextTable(header, cells, tuple("baseline" in row["tags"] for row in found))


def method(rows: Sequence[Row]) -> list[str]:
    """How the figures were measured and what disturbed them, in paragraphs."""
    names = labels(rows)
    measured = [row for row in rows if is_measured(row)]
    if not measured:
        return ["Nothing was measured."]
    repeats = _span(len(row.get("repeats") or ()) for row in measured)
    passes = _span(len(row.get("passes") or ()) for row in measured)
    blocks, steps = (_span(row.get(name) for row in measured) for name in ("blocks_per_repeat", "steps_per_block"))
    block = "one block" if blocks == "1" else f"the fastest of {blocks} consecutive blocks"
    how = (
        f"A repeat is the time of one step in {block} of {steps} steps; a cell has "
        f"{repeats} repeats, in {passes} passes over all cells in shuffled order. Times are medians over repeats, and "
        "intervals hold the median with 95 % confidence."
    )
    unsettled = [row for row in measured if row.get("is_settled") is False]
    how += (
        f" {len(unsettled)} of {len(measured)} cells did not settle within ± 2 %{_named(unsettled, names)}."
        if unsettled
        else f" All {len(measured)} cells settled within ± 2 %."
    )
    disturbed = []
    ratios = [ratio for row in measured if (ratio := value(row, "alone", "ratio")) is not None]
    if ratios:
        disturbed.append(
            f"{len(ratios)} sampled cell{'s' * (len(ratios) != 1)} measured once more and alone took "
            f"{statistics.median(ratios):.3f} times as long at the median ({min(ratios):.3f} to {max(ratios):.3f})."
        )
    loads = []
    for name, who in (("others", "other processes used"), ("stolen", "the hypervisor took")):
        shares = [share for row in measured if (share := value(row, "load", name)) is not None]
        loads += [f"{who} at most {short(max(shares), 100)} %"] if shares else []
    if loads:
        disturbed.append(f"Meanwhile {' and '.join(loads)} of the machine's cores.")
    for reason in dict.fromkeys(row["fallback"] for row in measured if row.get("fallback")):
        fallen = [row for row in measured if row.get("fallback") == reason]
        disturbed.append(f"{len(fallen)} cell{'s' * (len(fallen) != 1)} fell back: {reason}{_named(fallen, names)}.")
    for count in sorted({row["graph_breaks"] for row in measured if row.get("graph_breaks")}):
        broken = sorted({row["variant"] for row in measured if row.get("graph_breaks") == count})
        disturbed.append(f"Compilation broke the graph of {', '.join(broken)} {count} time{'s' * (count != 1)}.")
    return [how, " ".join(disturbed)] if disturbed else [how]


def speed_provenance(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Where the figures come from, as (label, text): machine, ceilings, clocks, versions, commit."""
    lines = []
    for machine in _distinct(row.get("machine") for row in rows):
        where = f"{machine['gpu']}, " if machine.get("gpu") else ""
        lines.append(("machine", f"{where}{machine.get('cpu')}, {machine.get('cores')} cores, {machine.get('system')}"))
    lines.append(("threads", _span(row["threads"] for row in rows)))
    for device, dtype, threads in sorted({(row["device"], row["dtype"], row["threads"]) for row in rows}):
        chosen = [row for row in rows if (row["device"], row["dtype"], row["threads"]) == (device, dtype, threads)]
        tops = [
            f"{_span((value(row, 'ceilings', name) for row in chosen), 1e-9)} {unit}"
            for name, unit in (("flops_per_second", "GFLOP/s"), ("bytes_per_second", "GB/s"))
            if any(value(row, "ceilings", name) is not None for row in chosen)
        ]
        if tops:
            plural = "s" * (threads != 1)
            lines.append((f"ceilings of {device}, {dtype}, {threads} thread{plural}", f"{', '.join(tops)}, measured"))
    clocks = []
    for name, told in (("cpu_mhz", "CPU {} MHz"), ("sm_mhz", "GPU {} MHz"), ("memory_mhz", "GPU memory {} MHz"),
                       ("temperature", "GPU {} °C")):  # fmt: skip
        found = _span(_number(value(row, "clocks", name)) for row in rows)
        clocks += [told.format(found)] if found != "-" else []
    reasons = sorted({str(value(row, "clocks", "throttle") or "") for row in rows})
    clocks += [f"throttled by {reason}" for reason in reasons if reason.strip("0x")]
    lines += [("clocks", ", ".join(clocks))] if clocks else []
    for versions in _distinct(row.get("versions") for row in rows):
        lines.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    lines += [("commit", str(commit)) for commit in _distinct(row.get("commit") for row in rows)]
    return lines


def _what(rows: Sequence[Row]) -> str:
    """What was measured on what, in one sentence."""
    machines = dict.fromkeys(str(asked(row)["machine"]) for row in rows)
    devices, dtypes, modes = (sorted({row[name] for row in rows}) for name in ("device", "dtype", "mode"))
    variants = len({row["variant"] for row in rows})
    threads, channels, horizon = (_span(row[name] for row in rows) for name in ("threads", "channels", "horizon"))
    how = [*devices, f"{threads} thread{'s' * (threads != '1')}", *dtypes, *modes]
    normalise = ", ".join(sorted({str(row["normalise"]) for row in rows}))
    return (
        f"{variants} variant{'s' * (variants != 1)} in {len(rows)} cells on {', '.join(machines)}: {', '.join(how)}; "
        f"windows of {channels} channel{'s' * (channels != '1')}, {horizon} step{'s' * (horizon != '1')} ahead, "
        f"normalised: {normalise}."
    )


def _throughput(rows: Sequence[Row], pictures: Sequence[str]) -> list[str]:
    parts = ["## Windows per second", *_picture("windows-per-second", pictures)]
    if pictures and len({"baseline" in row["tags"] for row in rows}) > 1:
        parts.append(PICTURES_LEGEND)
    found = sheets(rows)
    full = fullest(found)
    for sheet in full:
        parts += [f"### {escaped(sheet.title)}", pipe_table(throughput_table(sheet))]
    for place, phase in dict.fromkeys((sheet.place, sheet.phase) for sheet in found):
        others = [sheet for sheet in found if sheet not in full and (sheet.place, sheet.phase) == (place, phase)]
        table = lookback_table(others)
        if table is not None:
            title = escaped(others[0].title.replace(f"lookback {others[0].lookback}", "other lookbacks", 1))
            parts += [f"### {title}", pipe_table(table)]
    return [*parts, THROUGHPUT_LEGEND]


def _cost(rows: Sequence[Row], pictures: Sequence[str]) -> list[str]:
    parts = ["## Cost of a step, and how near it comes to the ceiling", *_picture("roofline", pictures)]
    for sheet in fullest(sheets(rows)):
        if sheet.common:
            batch = sheet.common[-1]
            title = escaped(f"{sheet.title}, batch {batch:,}")
            parts += [f"### {title}", pipe_table(cost_table(sheet, batch))]
    parts.append(COST_LEGEND)
    return [*parts, CACHES_LEGEND] if any(row["device"] == "cpu" for row in rows) else parts


def _paths(rows: Sequence[Row]) -> list[str]:
    header = ("variant", "phase", "where", "expected forward", "expected backward", "seen, share of time")
    lines = [[escaped(text) for text in line] for line in path_lines(rows)]
    if not lines:
        return []
    table = tabulate(lines, header, tablefmt="pipe", disable_numparse=True)
    return ["## Why: the paths taken", table, PATHS_LEGEND]


def _scaling(rows: Sequence[Row], pictures: Sequence[str]) -> list[str]:
    found = scalings(rows)
    tables = {over: scaling_table(found, over) for over in ("batch_size", "lookback")}
    if not found:
        return []
    parts = ["## Scaling", *_picture("scaling", pictures)]
    for over, table in tables.items():
        if table is not None:
            parts += [f"### Step time over {over.replace('_', ' ')}", pipe_table(table)]
    return [*parts, SCALING_LEGEND]


def _picture(name: str, pictures: Sequence[str]) -> list[str]:
    return [f"![{PICTURES[name]}]({path})" for path in pictures if PurePosixPath(path).stem == name]


def _size(row: Row) -> tuple[Any, ...]:
    """Small cells before large ones."""
    batch = 0 if row["batch_size"] == "max" else row["batch_size"]
    return (batch * row["lookback"], batch, [_order(row["params"][name]) for name in sorted(row["params"])])


def _deciding(rows: Sequence[Row]) -> list[str]:
    """The fewest names of `asked` whose values decide the path; parameters are kept before shapes."""
    settings = [(asked(row), expected_path(row)) for row in rows]
    kept = [name for name in settings[0][0] if len({_text(given.get(name)) for given, _ in settings}) > 1]
    for name in list(kept):
        fewer = [other for other in kept if other != name]
        paths: dict[tuple[str, ...], set[tuple[str, str]]] = {}
        for given, path in settings:
            paths.setdefault(tuple(_text(given.get(other)) for other in fewer), set()).add(path)
        if all(len(found) == 1 for found in paths.values()):
            kept = fewer
    return kept


def _where(cells: Sequence[Row], everything: Sequence[Row], names: Sequence[str]) -> str:
    """The values of the deciding names at which the cells lie, as ranges of what was measured."""
    if not names:
        return ""
    first, *rest = names
    known = sorted({asked(row).get(first) for row in everything}, key=_order)
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
    """The three operators or kernels that took most of the time, under short names."""
    shares: dict[str, float] = {}
    for name, share in row.get("kernels_seen") or []:
        shares[_kernel(name)] = shares.get(_kernel(name), 0.0) + share
    top = sorted(shares.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in top) or "-"


def _kernel(name: str) -> str:
    """A C++ kernel's name without its template arguments, parameters and return type."""
    name = name.replace("(anonymous namespace)::", "")
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return name.split("(")[0].split("::type ")[-1].strip().removeprefix("void ")[:60]


def _named(rows: Sequence[Row], names: dict[str, str]) -> str:
    if not 0 < len(rows) <= MOST_NAMED:
        return ""
    return f" ({'; '.join(cell_name(row, names) for row in rows)})"


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def _span(numbers: Iterable[float | None], scale: float = 1) -> str:
    """One number, or the least and the most of several; a dash for none."""
    known = [number * scale for number in numbers if number is not None]
    if not known:
        return "-"
    told = _counted if all(isinstance(number, int) for number in known) else short
    least, most = told(min(known)), told(max(known))
    return least if least == most else f"{least} to {most}"


def _number(said: Any) -> float | None:
    """A number, or the number in a text; None where there is none."""
    try:
        return float(said)
    except (TypeError, ValueError):
        return None


def _counted(number: float | None) -> str:
    return "-" if number is None else f"{number:,.0f}"


def _text(thing: Any) -> str:
    return json.dumps(thing, sort_keys=True)


def _order(thing: Any) -> tuple[bool, Any]:
    return (not isinstance(thing, int | float), thing if isinstance(thing, int | float) else str(thing))


def _distinct(things: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for thing in things:
        if thing and thing not in found:
            found.append(thing)
    return found
