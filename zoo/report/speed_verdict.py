"""Speed in words: which model is fastest, how the figures were measured, and what failed."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from zoo.report.board import counted
from zoo.stats.timings import ratio_interval
from zoo.throughput import table as speed
from zoo.throughput.passes import pass_rates
from zoo.throughput.table import PHASES, RATE, TIME, Sheet, cell_name, plain


def verdict(rows: pd.DataFrame) -> list[str]:
    """Which model is fastest, by how much, and what else matters most: at most three sentences."""
    main = speed.main_rows(rows)
    if main.empty:
        return [f"No cell was measured: {counted(len(rows), 'cell')} failed."]
    sentences = []
    for phase in PHASES:
        full = [sheet for sheet in speed.fullest(speed.sheets(speed.usual(main))) if sheet.phase == phase]
        if full and (full[0].rows["label"].nunique() > 1 or not speed.parameter_sweeps(main)):
            sentences.append(_fastest(full[len(full) // 2]))
    other = _forms(rows, main["form"].iloc[0]) or cliff_sentence(rows) or _busy(rows)
    return [*sentences, other] if other else sentences


def cliff_sentence(rows: pd.DataFrame) -> str:
    """The largest cliff, or that there is none; nothing where no parameter was swept."""
    swept, faster = speed.parameter_sweeps(rows), speed.cliffs(rows)
    if len(faster):
        cliff = faster.iloc[0]
        return (
            f"A bigger model can be faster: {cliff['line']} with {cliff['parameter']} {plain(cliff['bigger'])} takes "
            f"{cliff['ratio']:.2f} of the time of {plain(cliff['smaller'])} in {PHASES[cliff['phase']]} at batch "
            f"{cliff['batch_size']:,}, lookback {cliff['lookback']}."
        )
    ranges = [f"{name} {span(pd.concat(groups)[f'params.{name}'])}" for name, groups in swept.items()]
    return f"No model is clearly faster than the next smaller one, over {', '.join(ranges)}." if swept else ""


def subject(rows: pd.DataFrame) -> str:
    """What was measured on what, in one sentence."""
    names = [", ".join(sorted(rows[name].unique())) for name in ("machine", "device", "dtype", "mode")]
    numbers = [f"{name} {span(rows[name])}" for name in ("threads", "channels", "horizon")]
    cells = f"{counted(rows['variant'].nunique(), 'variant')} in {counted(len(rows), 'cell')}"
    return f"{cells} on {names[0]} ({', '.join([*names[1:], *numbers])})."


def failures(rows: pd.DataFrame) -> list[str]:
    """Each cell that was not measured, why, and where its traceback lies."""
    sentences = []
    for _, row in rows[~rows["is_measured"]].iterrows():
        details = f" (see {row['traceback']})" if isinstance(row["traceback"], str) else ""
        sentences.append(f"{cell_name(row['label'], row)}: {row['error']}{details}")
    return sentences


def provenance(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """How and on what the figures were measured, and what disturbed them: (label, text)."""
    timed = rows[rows["is_measured"]]
    lines = []
    if len(timed):
        passes, blocks, steps = timed["passes"].dropna().map(len), timed["blocks_per_repeat"], timed["steps_per_block"]
        how = f"(passes: {span(passes)}; blocks in a repeat: {span(blocks)}; steps in a block: {span(steps)})"
        lines.append(("repeats", f"{span(timed['repeats'].map(len))} in a cell, each the fastest of its blocks {how}"))
        lines.append(("settled", f"{timed['is_settled'].eq(True).sum()} of {counted(len(timed), 'cell')}"))
    if (aside := timed["disturbed"].sum()) > 0:
        repeats = timed["passes"].dropna().map(sum).sum()
        why = "the machine was slower than at its best, or their process was over 5 % slower than the fastest one"
        lines.append(("repeats set aside", f"{aside:,.0f} of {repeats:,}: {why}"))
    if busy := timed["is_calm"].eq(False).sum():
        lines.append(("busy machine in every pass", counted(busy, "cell")))
    if len(ratios := timed["alone.ratio"].dropna()):
        times = f"{ratios.median():.3f} of the time beside other cells ({ratios.min():.3f} to {ratios.max():.3f})"
        lines.append(("timed again alone", f"{counted(len(ratios), 'cell')}: {times}"))
    for reason, group in timed.groupby("fallback"):
        lines.append(("measured in another mode", f"{counted(len(group), 'cell')}: {reason}"))
    for count, group in timed[timed["graph_breaks"].fillna(0) > 0].groupby("graph_breaks"):
        lines.append(("graph breaks", f"{', '.join(sorted(set(group['variant'])))}: {count:.0f}"))
    lines += [("machine", text) for text in _distinct(rows, "machine.")]
    for (device, dtype, threads), group in timed.groupby(["device", "dtype", "threads"]):
        if group["ceilings.flops_per_second"].notna().any():
            flops, traffic = (span(group[f"ceilings.{name}_per_second"], 1e-9) for name in ("flops", "bytes"))
            where = f"ceilings of {device}, {dtype}, {counted(threads, 'thread')}"
            lines.append((where, f"{flops} GFLOP/s, {traffic} GB/s"))
    clocks = rows.filter(like="clocks.")
    values = {name.removeprefix("clocks."): pd.to_numeric(clocks[name], errors="coerce").dropna() for name in clocks}
    texts = [f"{name} {span(numbers)}" for name, numbers in values.items() if len(numbers)]
    reasons = clocks["clocks.throttle"].dropna().unique() if "clocks.throttle" in clocks else ()
    texts += [f"throttled by {reason}" for reason in sorted(map(str, reasons)) if reason.strip("0x")]
    lines += [("clocks", ", ".join(texts))] if texts else []
    lines += [("versions", text) for text in _distinct(rows, "versions.")]
    return lines + [("commit", commit) for commit in rows["commit"].dropna().unique()]


def short(number: float, scale: float = 1.0) -> str:
    """A number with three significant digits and thousands apart; a dash for none."""
    if not np.isfinite(number):
        return "-"
    scaled = float(f"{number * scale:.3g}")
    decimals = max(0, 2 - int(np.floor(np.log10(abs(scaled))))) if scaled else 0
    return f"{scaled:,.{decimals}f}"


def span(values: Iterable[Any], scale: float = 1) -> str:
    """One number, or the least and the most of several; a dash for none."""
    known = [float(value) * scale for value in values if pd.notna(value)]
    is_whole = scale == 1 and all(value.is_integer() for value in known)
    ends = [f"{end:,.0f}" if is_whole else short(end) for end in (min(known), max(known))] if known else ["-"]
    return " to ".join(dict.fromkeys(ends))


def _fastest(sheet: Sheet) -> str:
    """The fastest model that is no baseline, by how much, and the fastest baseline beside it."""
    batch = sheet.common[len(sheet.common) // 2]
    rows = sheet.rows[sheet.rows["batch_size"] == batch].sort_values(RATE, ascending=False)
    start = f"{PHASES[sheet.phase].capitalize()} at batch {batch:,}, {sheet.where}"
    baselines, ranked = rows[rows["is_baseline"]], rows[~rows["is_baseline"]]
    beside = f" (baseline {baselines.iloc[0]['label']}: {baselines.iloc[0][RATE]:,.0f})" if len(baselines) else ""
    if ranked.empty:
        ranked, beside = baselines, ""
    first, last = ranked.iloc[0], ranked.iloc[-1]
    rate = f"{first[RATE]:,.0f} windows/s"
    slowest = f"{short(first[RATE] / last[RATE])} times the slowest, {last['label']}"
    if len(ranked) == 1:
        text = f"{start}: {first['label']} reaches {rate}"
    elif _is_clearly_faster(first, ranked.iloc[1]):
        times = f"{short(first[RATE] / ranked.iloc[1][RATE])} times {ranked.iloc[1]['label']}"
        text = f"{start}: {first['label']} is fastest with {rate}, {times}" + f" and {slowest}" * (len(ranked) > 2)
    else:
        text = f"{start}: no clear winner between {first['label']} ({rate}) and {ranked.iloc[1]['label']}"
        text += f", {slowest}" * (len(ranked) > 2)
    text += beside
    waits = sheet.rows[~sheet.rows["is_baseline"]].dropna(subset="latency_seconds.p50")
    waits = waits.sort_values("latency_seconds.p50")
    if sheet.phase == "infer" and len(waits):
        ends = [
            f"{short(row['latency_seconds.p50'], 1e3)} ms ({row['label']})" for _, row in waits.iloc[[0, -1]].iterrows()
        ]
        text += f"; one forecast at a time takes {' to '.join(dict.fromkeys(ends))}"
    return f"{text}."


def _is_clearly_faster(row: pd.Series, other: pd.Series) -> bool:
    """Whether passes, each a process of its own, leave no doubt."""
    low = ratio_interval(pass_rates(other), pass_rates(row), level=0.95).low
    return low is not None and low > 1


def _forms(rows: pd.DataFrame, main: str) -> str:
    """What every other mode or dtype changes at the median, cell by cell against the main one."""
    timed = rows[rows["is_measured"] & (rows["batch_size"] != "max") & rows["fallback"].isna()]
    cell = ["model", *(name for name in speed.SHAPE if name not in ("mode", "dtype"))]
    times = timed.pivot(index=cell, columns="form", values=TIME)
    speedups = times.rdiv(times[main], axis="index").drop(columns=main).groupby("phase").median()
    parts = []
    for form, figures in speedups.items():
        words = [f"{figures[phase]:.2f} in {word}" for phase, word in PHASES.items() if figures.get(phase, np.nan) > 0]
        parts += [f"{form} {' and '.join(words)}"] if words else []
    return f"Median speed relative to {main}: {'; '.join(parts)}." if parts else ""


def _busy(rows: pd.DataFrame) -> str:
    busy, total = rows["is_calm"].eq(False).sum(), rows["is_measured"].sum()
    where = f"{busy} of {counted(total, 'cell')}"
    return f"The machine was busy whenever {where} ran: these times are too high by an unknown share." if busy else ""


def _distinct(rows: pd.DataFrame, prefix: str) -> list[str]:
    """Each combination of values in the columns with the prefix, as text."""
    parts = rows[[name for name in rows if name.startswith(prefix)]].drop_duplicates().to_dict("records")
    return [
        ", ".join(f"{name.removeprefix(prefix)} {plain(value)}" for name, value in part.items() if pd.notna(value))
        for part in parts
    ]
