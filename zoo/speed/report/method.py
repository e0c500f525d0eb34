"""The method: how the figures were measured, what disturbed or failed, and where they come from."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from zoo.report.board import Row
from zoo.speed.report.rows import asked, is_measured, labels, value
from zoo.speed.report.words import cell_name, plural, short, span

MOST_NAMED = 5  # cells of a kind that are named; more are only counted


def subject(rows: Sequence[Row]) -> str:
    """What was measured on what, in one sentence."""
    machines = dict.fromkeys(str(asked(row)["machine"]) for row in rows)
    devices, dtypes, modes = (sorted({row[name] for row in rows}) for name in ("device", "dtype", "mode"))
    variants = len({row["variant"] for row in rows})
    threads, channels, horizon = (span(row[name] for row in rows) for name in ("threads", "channels", "horizon"))
    how = [*devices, plural(threads, "thread"), *dtypes, *modes]
    normalise = ", ".join(sorted({str(row["normalise"]) for row in rows}))
    return (
        f"{plural(variants, 'variant')} in {len(rows)} cells on {', '.join(machines)}: {', '.join(how)}; "
        f"windows of {plural(channels, 'channel')}, {plural(horizon, 'step')} ahead, "
        f"normalised: {normalise}."
    )


def method(rows: Sequence[Row]) -> list[str]:
    """How the figures were measured and what disturbed them, in paragraphs."""
    names = labels(rows)
    measured = [row for row in rows if is_measured(row)]
    if not measured:
        return ["Nothing was measured."]
    repeats = span(len(row.get("repeats") or ()) for row in measured)
    passes = span(len(row.get("passes") or ()) for row in measured)
    blocks, steps = (span(row.get(name) for row in measured) for name in ("blocks_per_repeat", "steps_per_block"))
    block = "one block" if blocks == "1" else f"the fastest of {blocks} consecutive blocks"
    how = (
        f"A repeat is the time of one step in {block} of {steps} steps; a cell has {repeats} repeats, in "
        f"{plural(passes, 'pass')} over all cells in shuffled order. Times are medians over repeats, and "
        "intervals hold the median with 95 % confidence."
    )
    unsettled = [row for row in measured if row.get("is_settled") is False]
    how += (
        f" {len(unsettled)} of {len(measured)} cells did not settle within ± 2 %{_named(unsettled, names)}."
        if unsettled
        else f" All {len(measured)} cells settled within ± 2 %."
    )
    disturbed = []
    made = sum(sum(row.get("passes") or []) for row in measured)
    aside = sum(row.get("disturbed") or 0 for row in measured)
    if aside:
        disturbed.append(
            f"{aside} of {made} repeats were set aside: a reading beside them showed the machine slower than its best, "
            "or their process was slower than another by more than 5 %."
        )
    restless = [row for row in measured if row.get("is_calm") is False]
    if restless:
        disturbed.append(
            f"The machine was busy whenever {plural(len(restless), 'cell')} ran: these times are too high "
            f"by an unknown share{_named(restless, names)}."
        )
    ratios = [ratio for row in measured if (ratio := value(row, "alone", "ratio")) is not None]
    if ratios:
        disturbed.append(
            f"{plural(len(ratios), 'sampled cell')} measured once more and alone took "
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
        disturbed.append(f"{plural(len(fallen), 'cell')} fell back: {reason}{_named(fallen, names)}.")
    for count in sorted({row["graph_breaks"] for row in measured if row.get("graph_breaks")}):
        broken = sorted({row["variant"] for row in measured if row.get("graph_breaks") == count})
        disturbed.append(f"Compilation broke the graph of {', '.join(broken)} {plural(count, 'time')}.")
    return [how, " ".join(disturbed)] if disturbed else [how]


def failures(rows: Sequence[Row]) -> list[str]:
    """Each cell that was not measured, and why."""
    names = labels(rows)
    return [f"{cell_name(row, names)}: {row.get('error') or 'no time'}" for row in rows if not is_measured(row)]


def speed_provenance(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Where the figures come from, as (label, text): machine, ceilings, clocks, versions, commit."""
    lines = []
    for machine in _distinct(row.get("machine") for row in rows):
        where = f"{machine['gpu']}, " if machine.get("gpu") else ""
        lines.append(("machine", f"{where}{machine.get('cpu')}, {machine.get('cores')} cores, {machine.get('system')}"))
    lines.append(("threads", span(row["threads"] for row in rows)))
    for device, dtype, threads in sorted({(row["device"], row["dtype"], row["threads"]) for row in rows}):
        chosen = [row for row in rows if (row["device"], row["dtype"], row["threads"]) == (device, dtype, threads)]
        tops = [
            f"{span((value(row, 'ceilings', name) for row in chosen), 1e-9)} {unit}"
            for name, unit in (("flops_per_second", "GFLOP/s"), ("bytes_per_second", "GB/s"))
            if any(value(row, "ceilings", name) is not None for row in chosen)
        ]
        if tops:
            lines.append(
                (f"ceilings of {device}, {dtype}, {plural(threads, 'thread')}", f"{', '.join(tops)}, measured")
            )
    clocks = []
    for name, told in (("cpu_mhz", "CPU {} MHz"), ("sm_mhz", "GPU {} MHz"), ("memory_mhz", "GPU memory {} MHz"),
                       ("temperature", "GPU {} °C")):  # fmt: skip
        found = span(_number(value(row, "clocks", name)) for row in rows)
        clocks += [told.format(found)] if found != "-" else []
    reasons = sorted({str(value(row, "clocks", "throttle") or "") for row in rows})
    clocks += [f"throttled by {reason}" for reason in reasons if reason.strip("0x")]
    lines += [("clocks", ", ".join(clocks))] if clocks else []
    for versions in _distinct(row.get("versions") for row in rows):
        lines.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    lines += [("commit", str(commit)) for commit in _distinct(row.get("commit") for row in rows)]
    return lines


def _named(rows: Sequence[Row], names: dict[str, str]) -> str:
    """The cells in brackets; nothing where there are many."""
    if not 0 < len(rows) <= MOST_NAMED:
        return ""
    return f" ({'; '.join(cell_name(row, names) for row in rows)})"


def _number(said: Any) -> float | None:
    """A number, or the number in a text; None where there is none."""
    try:
        return float(said)
    except (TypeError, ValueError):
        return None


def _distinct(things: Iterable[Any]) -> list[Any]:
    """Each thing once, in order; things need not be hashable."""
    found: list[Any] = []
    for thing in things:
        if thing and thing not in found:
            found.append(thing)
    return found
