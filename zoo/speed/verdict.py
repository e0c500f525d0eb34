"""Speed in words: which model is fastest, how the figures were measured, and what failed."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from zoo.speed.table import (
    PHASES,
    RATE,
    SHAPE,
    TIME,
    Sheet,
    cliffs,
    fullest,
    main_rows,
    parameter_sweeps,
    sheets,
    usual,
)


def verdict(rows: pd.DataFrame) -> list[str]:
    """Which model is fastest, by how much, and what else matters most: at most three sentences."""
    failed = int((~rows["is_measured"]).sum())
    main = main_rows(rows)
    if main.empty:
        return [f"No cell was measured: {plural(failed, 'cell')} failed."]
    sentences = []
    for phase in PHASES:
        found = [sheet for sheet in fullest(sheets(usual(main))) if sheet.phase == phase]
        if found and (found[0].rows["label"].nunique() > 1 or not parameter_sweeps(main)):
            sentences.append(_fastest(found[len(found) // 2]))
    other = _forms(rows, str(main.iloc[0]["form"])) or cliff_sentence(rows) or _busy(rows)
    return [*sentences, other] if other else sentences


def provenance(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """How and on what the figures were measured, and what disturbed them: (label, text)."""
    timed = rows[rows["is_measured"]]
    lines = []
    if len(timed):
        blocks, steps = span(timed["blocks_per_repeat"]), span(timed["steps_per_block"])
        passes = span(timed["passes"].dropna().map(len))
        lines.append(
            (
                "repeats",
                f"{span(timed['repeats'].map(len))} a cell that count, in {plural(passes, 'pass')}; each is the time "
                f"of a step in the fastest of {plural(blocks, 'block')} of {plural(steps, 'step')}",
            )
        )
        lines.append(("settled", f"{int(timed['is_settled'].eq(True).sum())} of {plural(len(timed), 'cell')}"))
    made = int(timed["passes"].dropna().map(sum).sum())
    if (aside := int(timed["disturbed"].fillna(0).sum())) > 0:
        why = "the machine was slower than its best beside them, or their process was slower than another by over 5 %"
        lines.append(("repeats set aside", f"{aside:,} of {made:,}: {why}"))
    if busy := _busy(rows):
        lines.append(("busy machine", busy))
    if len(ratios := timed["alone.ratio"].dropna()):
        times = f"{ratios.median():.3f} of the time beside other cells ({ratios.min():.3f} to {ratios.max():.3f})"
        lines.append(("timed again alone", f"{plural(len(ratios), 'cell')}: {times}"))
    for reason, group in timed.groupby("fallback"):
        lines.append(("fell back", f"{plural(len(group), 'cell')}: {reason}"))
    for count, group in timed[timed["graph_breaks"].fillna(0) > 0].groupby("graph_breaks"):
        lines.append(("graph breaks", f"{', '.join(sorted(set(group['variant'])))}: {int(count)}"))
    machine = ["machine.cpu", "machine.cores", "machine.system"]
    for _, row in rows.drop_duplicates(["machine", *machine]).iterrows():
        gpu = f"{row['machine.gpu']}, " if isinstance(row["machine.gpu"], str) else ""
        lines.append(("machine", f"{gpu}{row[machine[0]]}, {row[machine[1]]} cores, {row[machine[2]]}"))
    for (device, dtype, threads), group in timed.groupby(["device", "dtype", "threads"]):
        tops = [
            f"{span(group[f'ceilings.{name}'], 1e-9)} {unit}"
            for name, unit in (("flops_per_second", "GFLOP/s"), ("bytes_per_second", "GB/s"))
            if group[f"ceilings.{name}"].notna().any()
        ]
        if tops:
            lines.append((f"ceilings of {device}, {dtype}, {plural(threads, 'thread')}", ", ".join(tops)))
    clocks = [
        f"{name} {span(values)} {unit}"
        for name, column, unit in (("CPU", "cpu_mhz", "MHz"), ("GPU", "sm_mhz", "MHz"),
                                   ("GPU memory", "memory_mhz", "MHz"), ("GPU", "temperature", "°C"))
        if len(values := pd.to_numeric(rows[f"clocks.{column}"], errors="coerce").dropna())
    ]  # fmt: skip
    reasons = sorted({str(reason) for reason in rows["clocks.throttle"].dropna() if str(reason).strip("0x")})
    clocks += [f"throttled by {reason}" for reason in reasons]
    lines += [("clocks", ", ".join(clocks))] if clocks else []
    packages = [name for name in rows if name.startswith("versions.")]
    for _, row in rows[packages].drop_duplicates().iterrows():
        known = [f"{name.split('.', 1)[1]} {row[name]}" for name in packages if pd.notna(row[name])]
        lines.append(("versions", ", ".join(known)))
    return lines + [("commit", str(commit)) for commit in rows["commit"].dropna().unique()]


def subject(rows: pd.DataFrame) -> str:
    """What was measured on what, in one sentence."""
    names = {name: ", ".join(sorted(map(str, rows[name].unique()))) for name in ("machine", "dtype", "mode", "device")}
    threads, channels, horizon = (span(rows[name]) for name in ("threads", "channels", "horizon"))
    return (
        f"{plural(rows['variant'].nunique(), 'variant')} in {plural(len(rows), 'cell')} on {names['machine']} "
        f"({names['device']}, {plural(threads, 'thread')}), {names['dtype']}, {names['mode']}; windows of "
        f"{plural(channels, 'channel')}, {plural(horizon, 'step')} ahead."
    )


def failures(rows: pd.DataFrame) -> list[str]:
    """Each cell that was not measured, why, and where its traceback lies."""
    found = []
    for _, row in rows[~rows["is_measured"]].iterrows():
        place = f"{row['label']}, {PHASES[row['phase']]} at batch {row['batch_size']}, lookback {row['lookback']}"
        details = f" (see {row['traceback']})" if isinstance(row.get("traceback"), str) else ""
        found.append(f"{place}: {row['error']}{details}")
    return found


def plural(count: object, noun: str) -> str:
    """A count and its noun; the count may be a text such as 2 to 5."""
    if str(count) == "1":
        return f"{count} {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def short(number: float | None, scale: float = 1.0) -> str:
    """A number with three significant digits and thousands apart; a dash for none."""
    if number is None or not np.isfinite(number):
        return "-"
    scaled = float(f"{number * scale:.3g}")
    decimals = max(0, 2 - int(np.floor(np.log10(abs(scaled))))) if scaled else 0
    return f"{scaled:,.{decimals}f}"


def span(numbers: Iterable[Any], scale: float = 1) -> str:
    """One number, or the least and the most of several; a dash for none."""
    known = [float(number) * scale for number in numbers if pd.notna(number)]
    if not known:
        return "-"
    is_whole = scale == 1 and all(number.is_integer() for number in known)
    least, most = (f"{end:,.0f}" if is_whole else short(end) for end in (min(known), max(known)))
    return least if least == most else f"{least} to {most}"


def _fastest(sheet: Sheet) -> str:
    """The fastest model that is no baseline, by how much, and the fastest baseline beside it."""
    batch = sheet.common[len(sheet.common) // 2]
    rows = sheet.rows[(sheet.rows["batch_size"] == batch)].sort_values(RATE, ascending=False)
    start = f"{PHASES[sheet.phase].capitalize()} at batch {batch:,}, {sheet.where}"
    baselines, models = rows[rows["is_baseline"]], rows[~rows["is_baseline"]]
    ranked = models if len(models) else baselines
    first, last = ranked.iloc[0], ranked.iloc[-1]
    text = f"{start}: {first['label']} is fastest with {first[RATE]:,.0f} windows/s"
    slowest = f"{short(first[RATE] / last[RATE])} times the slowest, {last['label']}"
    if len(ranked) > 1:
        second = ranked.iloc[1]
        rate = f"{first[RATE]:,.0f} windows/s"
        if not second["step_seconds.low"] > first["step_seconds.high"]:  # NaN: too few repeats to tell
            text = f"{start}: no clear winner between {first['label']} ({rate}) and {second['label']}"
            text += f", {slowest}" * (len(ranked) > 2)
        else:
            text += f", {short(first[RATE] / second[RATE])} times {second['label']}"
            text += f" and {slowest}" * (len(ranked) > 2)
    if len(models) and len(baselines):
        text += f" (baseline {baselines.iloc[0]['label']}: {baselines.iloc[0][RATE]:,.0f})"
    waits = sheet.rows[~sheet.rows["is_baseline"]].dropna(subset=["latency_seconds.p50"])
    waits = waits.sort_values("latency_seconds.p50")
    if sheet.phase == "infer" and len(waits):
        least, most = waits.iloc[0], waits.iloc[-1]
        text += f"; one forecast at a time takes {short(least['latency_seconds.p50'], 1e3)} ms ({least['label']})"
        if len(waits) > 1:
            text += f" to {short(most['latency_seconds.p50'], 1e3)} ms ({most['label']})"
    return f"{text}."


def _forms(rows: pd.DataFrame, main: str) -> str:
    """What every other mode or dtype changes at the median, cell by cell against the main one."""
    timed = rows[rows["is_measured"] & (rows["batch_size"] != "max") & rows["fallback"].isna()]
    names = [name for name in (*SHAPE, "settings") if name not in ("mode", "dtype")]
    times = timed.pivot(index=names, columns="form", values=TIME)
    parts = []
    for form in times.columns:
        speedups = (times[main] / times[form]).dropna() if form != main else pd.Series(dtype=float)
        if len(speedups):
            phases = speedups.groupby("phase").median()
            figures = [f"{phases[phase]:.2f} in {word}" for phase, word in PHASES.items() if phase in phases]
            parts.append(f"{form} {' and '.join(figures)}")
    return f"Times as fast as {main} at the median: {'; '.join(parts)}." if parts else ""


def cliff_sentence(rows: pd.DataFrame) -> str:
    """The largest cliff, or that there is none; nothing where no parameter was swept."""
    found, swept = cliffs(rows), parameter_sweeps(rows)
    if not swept:
        return ""
    if not found:
        sizes = {name: pd.concat(groups)[f"params.{name}"] for name, groups in swept.items()}
        ranges = [f"{name} {span(values)} ({values.nunique()} values)" for name, values in sizes.items()]
        return f"No cliff: over {', '.join(ranges)} no model is clearly faster than the next smaller one."
    cliff = found[0]
    return (
        f"A bigger model can be faster: {cliff['label']} with {cliff['parameter']} {cliff['bigger']} takes "
        f"{cliff['ratio']:.2f} of the time of {cliff['smaller']} in {PHASES[cliff['phase']]} at batch "
        f"{cliff['batch_size']:,}, lookback {cliff['lookback']}."
    )


def _busy(rows: pd.DataFrame) -> str:
    busy = int(rows["is_calm"].eq(False).sum())
    total = int(rows["is_measured"].sum())
    where = f"{busy} of {total} cells" if busy > 1 else "1 cell"
    return f"The machine was busy whenever {where} ran: these times are too high by an unknown share." if busy else ""
