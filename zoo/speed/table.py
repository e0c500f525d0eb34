"""Speed as tables: from the frame of zoo.run.results to what a report shows, as frames and plain values."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from zoo.run.results import newest_code

PHASES = {"train": "training", "infer": "inference"}
PLACE = ("machine", "device", "threads", "channels", "horizon", "normalise")  # what all rows of a sheet share
SHAPE = ("variant", "phase", "lookback", "batch_size", "mode", "dtype", *PLACE)
TIME, RATE, MEMORY = "step_seconds.median", "windows_per_second.median", "peak_memory_bytes"
FIGURES = (
    "batch_measured", "windows_per_second.median", "windows_per_second.p5", "windows_per_second.p95",
    "step_seconds.median", "step_seconds.p5", "step_seconds.p95", "step_seconds.low", "step_seconds.high",
    "is_settled", "is_calm", "latency_seconds.p50", "latency_seconds.p95", "latency_seconds.p99",
    "part_seconds.forward", "part_seconds.backward", "part_seconds.optimizer", "peak_memory_bytes", "parameter_count",
    "flops_per_window", "bytes_per_step", "flops_per_second", "ceiling_share", "fallback", "graph_breaks",
    "search.largest", "search.limit", "error",
)  # fmt: skip
OTHERS = (
    "machine.gpu", "ceilings.flops_per_second", "ceilings.bytes_per_second", "kernels_seen", "passes", "repeats",
    "disturbed", "steps_per_block", "blocks_per_repeat", "alone.ratio", "clocks.cpu_mhz", "clocks.sm_mhz",
    "clocks.memory_mhz", "clocks.temperature", "clocks.throttle", "code.sha256",
)  # fmt: skip
STEPS = ("step_seconds.low", "step_seconds.high", "step_seconds.p5", "step_seconds.p95")


@dataclass(frozen=True, eq=False)
class Sheet:
    """The rows of one phase, lookback and place (see PLACE); the fastest label at the largest common batch first."""

    phase: str
    where: str  # lookback, and in what its place differs from those of other sheets
    rows: pd.DataFrame

    @property
    def title(self) -> str:
        return f"{PHASES[self.phase].capitalize()}, {self.where}"

    @property
    def rates(self) -> pd.DataFrame:
        """Windows per second: a line for each label, a column for each batch size."""
        return self.rows.pivot(index="label", columns="batch_size", values=RATE).reindex(self.rows["label"].unique())

    @property
    def common(self) -> list[int]:
        """The batch sizes that the most labels have, of those at which anything was measured."""
        measured = self.rows[self.rows["batch_size"].isin(self.rows.loc[self.rows["is_measured"], "batch_size"])]
        counts = measured["batch_size"].value_counts()
        return sorted(int(size) for size in counts[counts == counts.max()].index)


def speed_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The speed rows of a frame of results, each cell once, with all columns of FIGURES and OTHERS, in a fixed order.

    Of the rows of a variant, only those of its newest code stay (rows without a code are the oldest);
    attrs["earlier"] counts the others. New columns: machine, settings (its parameters as text), is_baseline,
    is_measured, form (mode and dtype), and label: the variant with what distinguishes it from its namesakes.
    """
    rows = frame[frame["kind"] == "speed"]
    rows = rows.reindex(columns=[*rows.columns, *(name for name in (*FIGURES, *OTHERS) if name not in rows)])
    rows = rows[[name for name in rows if not name.startswith("params.") or rows[name].notna().any()]]
    count = len(rows)
    rows = newest_code(rows)
    earlier = count - len(rows)
    rows = rows.assign(
        machine=rows["machine.gpu"].fillna(rows["machine.cpu"]),
        settings=_settings(rows),
        is_baseline=rows["tags"].map(lambda tags: "baseline" in tags).astype(bool),
        is_measured=rows["error"].isna() & rows[TIME].notna(),
        form=rows["mode"] + " " + rows["dtype"],
        **{name: pd.to_numeric(rows[name]) for name in STEPS},  # None where no row has enough repeats for an interval
    )
    batch = pd.to_numeric(rows["batch_size"], errors="coerce").fillna(np.inf)
    order = rows.assign(batch=batch).sort_values([*PLACE, "variant", "phase", "form", "lookback", "batch", "settings"])
    rows = rows.loc[order.index].drop_duplicates([*SHAPE, "settings"], keep="last").reset_index(drop=True)
    rows["label"] = labels(rows)
    rows.attrs = {"earlier": earlier}
    return rows


def labels(rows: pd.DataFrame, without: str = "") -> pd.Series:
    """For each row its variant, the parameters in which its namesakes differ, its mode and its dtype.

    without: a parameter to leave out. Mode and dtype are named where rows differ in them, eager and float32 not.
    """
    names = [name for name in rows if name.startswith("params.") and name != f"params.{without}"]
    groups = {variant: group for variant, group in rows.groupby("variant")}
    differing = {v: [name for name in names if group[name].nunique(dropna=False) > 1] for v, group in groups.items()}
    forms = [(name, plain) for name, plain in (("mode", "eager"), ("dtype", "float32")) if rows[name].nunique() > 1]

    def label(row: Any) -> str:
        shown = ", ".join(f"{name.removeprefix('params.')}={plain(row[name])}" for name in differing[row["variant"]])
        parts = [f"{row['variant']} ({shown})" if shown else row["variant"]]
        return ", ".join([*parts, *(row[name] for name, usual in forms if row[name] != usual)])

    return rows.apply(label, axis=1) if len(rows) else pd.Series(dtype=object)


def sheets(rows: pd.DataFrame) -> list[Sheet]:
    """The rows of whole-number batch sizes by place, then training before inference, then by lookback."""
    rows = rows[rows["batch_size"] != "max"].astype({"batch_size": int})
    differing = [name for name in PLACE if rows[name].nunique() > 1]
    found = []
    for keys, group in rows.groupby([*PLACE, "phase", "lookback"]):
        *_, phase, lookback = keys
        first = group.iloc[0]
        where = "".join(f", {name} {first[name]}" for name in differing)
        sheet = Sheet(str(phase), f"lookback {lookback}{where}", group)
        if sheet.common:
            largest = group[group["batch_size"] == sheet.common[-1]].set_index("label")[RATE]
            speed = group["label"].map(largest).fillna(0.0)
            sheet = Sheet(
                sheet.phase, sheet.where, group.assign(speed=-speed).sort_values(["speed", "label"], kind="stable")
            )
        found.append((tuple(first[list(PLACE)].astype(str)), phase != "train", lookback, sheet))
    return [sheet for *_, sheet in sorted(found, key=lambda item: item[:3])]


def fullest(found: Sequence[Sheet]) -> list[Sheet]:
    """The sheets with at least half as many rows as the fullest of their phase.

    Lookbacks with fewer were measured to see how cost grows, not to compare variants.
    """
    most = {
        phase: max(len(sheet.rows) for sheet in found if sheet.phase == phase) for phase in {s.phase for s in found}
    }
    return [sheet for sheet in found if 2 * len(sheet.rows) >= most[sheet.phase]]


def usual(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one set of parameters for each variant: the one measured most, of several the middle in size."""
    chosen = []
    for _, group in rows.groupby("variant"):
        counts = group.groupby("settings")["is_measured"].sum()
        most = group[group["settings"].isin(counts[counts == counts.max()].index)]
        sizes = most.groupby("settings")["parameter_count"].max().fillna(0).sort_values(kind="stable")
        chosen.append(group[group["settings"] == sizes.index[len(sizes) // 2]])
    return pd.concat(chosen).sort_index() if chosen else rows


def main_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The measured rows of the first place and of the usual mode and dtype: eager float32, or the most frequent."""
    rows = rows[rows["is_measured"]]
    if rows.empty:
        return rows
    rows = rows[(rows[list(PLACE)] == rows.iloc[0][list(PLACE)]).all(axis=1)]
    return rows[rows["form"] == main_form(rows)]


def main_form(rows: pd.DataFrame) -> str:
    counts = rows["form"].value_counts()
    return "eager float32" if "eager float32" in counts else str(counts.index[0])


def largest_batches(rows: pd.DataFrame) -> pd.DataFrame:
    """The measured rows of searches for the largest batch."""
    return rows[(rows["batch_size"] == "max") & rows["is_measured"]]


def kernel_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """For each variant, mode, dtype and phase the row of its largest cell, in which kernels_seen tell most."""
    timed = rows[rows["is_measured"] & rows["kernels_seen"].notna()]
    work = timed["lookback"] * timed["batch_measured"].astype(float) * timed["parameter_count"].fillna(0).clip(lower=1)
    largest = timed.assign(work=work).sort_values("work", kind="stable")
    largest = largest.drop_duplicates(["variant", "mode", "dtype", "phase", "machine"], keep="last")
    return largest.sort_values(["phase", "variant", "form"], ascending=[False, True, True])


def sweeps(rows: pd.DataFrame, over: str, at_least: int) -> Iterator[pd.DataFrame]:
    """Measured rows that differ in `over` alone, in its order, where it has so many values. Others are equal."""
    timed = rows[rows["is_measured"] & (rows["batch_size"] != "max") & rows[over].map(_is_number)]
    if timed.empty:
        return
    shared = timed[[name for name in SHAPE if name != over]].astype(str).agg("|".join, axis=1)
    shared += _settings(timed, over.removeprefix("params."))
    sizes = timed[over].groupby(shared).transform("nunique")
    for _, group in timed[sizes >= at_least].groupby(shared, sort=False):
        yield group.astype({over: float}).sort_values(over)


def parameter_sweeps(rows: pd.DataFrame) -> dict[str, list[pd.DataFrame]]:
    """By parameter, the sweeps over at least three of its values."""
    names = sorted(name for name in rows if name.startswith("params."))
    found = {name.removeprefix("params."): list(sweeps(rows, name, 3)) for name in names}
    return {name: groups for name, groups in found.items() if groups}


def cliffs(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Where a bigger model is faster than the next smaller one by more than both intervals, the largest gain first.

    A cell that did not settle counts with its 5th to 95th percentile, and one that met no calm machine not at all.
    """
    found = []
    for name, groups in parameter_sweeps(rows).items():
        names = labels(rows, without=name)
        for group in groups:
            for (_, small), (place, big) in pairwise(group.iterrows()):
                is_bigger = (big["parameter_count"] or 0) > (small["parameter_count"] or 0)
                if is_bigger and _bounds(big)[1] < _bounds(small)[0]:
                    found.append(
                        {
                            "key": big["key"],
                            "label": names[place],
                            "parameter": name,
                            "smaller": plain(small[f"params.{name}"]),
                            "bigger": plain(big[f"params.{name}"]),
                            "smaller_seconds": small[TIME],
                            "bigger_seconds": big[TIME],
                            "ratio": big[TIME] / small[TIME],
                            **{name: big[name] for name in ("phase", "batch_size", "lookback")},
                        }
                    )
    return sorted(found, key=lambda cliff: (cliff["ratio"], cliff["label"]))


def exponents(rows: pd.DataFrame) -> pd.DataFrame:
    """k of step time ~ size^k over batch_size and over lookback, wherever at least four were measured.

    Columns: over, fixed (the other of the two), label, is_baseline, phase; k and sizes over all sizes, k_half and
    sizes_half over the largest half. By least squares on logarithms.
    """
    found = []
    for over, fixed in (("batch_size", "lookback"), ("lookback", "batch_size")):
        for group in sweeps(usual(rows), over, 4):
            sizes, times, half = [int(size) for size in group[over]], list(group[TIME]), len(group) // 2
            first = group.iloc[0]
            found.append(
                {
                    "over": over,
                    "fixed": first[fixed],
                    **{name: first[name] for name in ("label", "is_baseline", "phase", *PLACE)},
                    "k": _slope(sizes, times),
                    "sizes": f"{sizes[0]}-{sizes[-1]}",
                    "k_half": _slope(sizes[half:], times[half:]),
                    "sizes_half": f"{sizes[half]}-{sizes[-1]}",
                }
            )
    return pd.DataFrame(found)


def speed_summary(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Plain values for JSON: for each place, phase and lookback its cells, with their figures and errors."""
    rows = speed_rows(frame)
    found = []
    for keys, group in rows.groupby([*PLACE, "phase", "lookback"]):
        shared = dict(zip((*PLACE, "phase", "lookback"), map(_value, keys), strict=True))
        names = ["label", "variant", "tags", "mode", "dtype", "batch_size", *FIGURES]
        params = [name for name in rows if name.startswith("params.")]
        cells = []
        for _, row in group.iterrows():
            cell: dict[str, Any] = {
                "params": {n.removeprefix("params."): plain(row[n]) for n in params if _value(row[n]) is not None}
            }
            for name in names:
                field, dot, part = name.partition(".")
                if dot:
                    cell.setdefault(field, {})[part] = _value(row[name])
                else:
                    cell[field] = _value(row[name])
            empty = [name for name, value in cell.items() if isinstance(value, dict) and not any(value.values())]
            cells.append(cell | {name: None for name in empty if name != "params"})
        found.append({**shared, "cells": cells})
    return found


def thinned(values: Sequence[int], most: int) -> list[int]:
    """At most so many of the values, evenly chosen, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def plain(value: Any) -> Any:
    """A parameter's value; a column with gaps turns whole numbers into floats, and this turns them back."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _settings(rows: pd.DataFrame, without: str = "") -> pd.Series:
    names = sorted(name for name in rows if name.startswith("params.") and name != f"params.{without}")
    values = [json.dumps([plain(_value(value)) for value in row]) for row in rows[names].itertuples(index=False)]
    return pd.Series(values, index=rows.index, dtype=object)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))


def _value(value: Any) -> Any:
    """A plain value; None for NaN."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _bounds(row: Any) -> tuple[float, float]:
    """The seconds between which a cell's step lies; NaN where nothing sure can be said, which no number is below."""
    if row["is_calm"] is False:
        return np.nan, np.nan
    low, high = ("p5", "p95") if row["is_settled"] is False else ("low", "high")
    return row[f"step_seconds.{low}"], row[f"step_seconds.{high}"]


def _slope(sizes: Sequence[float], times: Sequence[float]) -> float:
    return statistics.linear_regression(np.log(sizes).tolist(), np.log(times).tolist()).slope
