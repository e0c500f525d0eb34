"""Speed as tables: the frame of zoo.run.results, cut into the parts that a report shows."""

import numbers
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zoo.cell import Alone, BatchSearch, Ceilings, Latency, PartSeconds, Rate, SpeedCell, SpeedRow, StepSeconds
from zoo.records import Record
from zoo.run.results import newest_code

PHASES = {"train": "training", "infer": "inference"}
PLACE = ["machine", "device", "threads", "channels", "horizon", "normalise"]  # equal in all rows of a sheet
SHAPE = ["phase", "lookback", "batch_size", "mode", "dtype", *PLACE]
TIME, RATE = "step_seconds.median", "windows_per_second.median"
NESTED: dict[str, type[Record]] = {
    "step_seconds": StepSeconds, "windows_per_second": Rate, "latency_seconds": Latency, "part_seconds": PartSeconds,
    "ceilings": Ceilings, "search": BatchSearch, "alone": Alone,
}  # fmt: skip
SHARED = ["label", "is_baseline", "phase"]
FIGURES = [f"{name}.{part}" for name, record in NESTED.items() for part in record.model_fields]
NUMBERS = [
    "batch_measured", "peak_memory_bytes", "parameter_count", "flops_per_window", "bytes_per_step", "flops_per_second",
    "ceiling_share", *(name for name in FIGURES if name not in ("search.limit", "search.tried")),
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sheet:
    """The rows of one phase, lookback and place; the fastest label at the largest common batch first."""

    phase: str
    where: str  # the lookback, and what sets its place apart from those of other sheets
    rows: pd.DataFrame
    common: list[int]  # the batch sizes that the most labels have, of those at which anything was measured

    @property
    def title(self) -> str:
        return f"{PHASES[self.phase].capitalize()}, {self.where}"


def speed_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The speed rows of a frame of results, in a fixed order, with every column of FIGURES.

    Of the rows of a variant, only those of its newest code stay; attrs["earlier"] counts the others. New columns:
    machine, is_baseline, is_measured, model (the variant with the parameters in which its namesakes differ), form (mode
    and dtype), and label (the model with its form, where that is not eager float32).
    """
    columns = [name for name in frame if name == "folder" or name.split(".")[0] in SpeedRow.model_fields]
    all_rows = frame.loc[frame["kind"] == "speed", columns]
    rows = newest_code(all_rows)
    rows = rows.reindex(columns=[*rows.columns, *(name for name in FIGURES if name not in rows)])
    rows[NUMBERS] = rows[NUMBERS].apply(pd.to_numeric)  # a column without any value holds None
    rows = rows.assign(
        machine=rows["machine.gpu"].fillna(rows["machine.cpu"]),
        is_baseline=["baseline" in tags for tags in rows["tags"]],
        is_measured=rows["error"].isna() & rows[TIME].notna(),
        model=models(rows, parameters(rows)),
        label=labels(rows, parameters(rows)),
        form=rows["mode"] + " " + rows["dtype"],
        batch=pd.to_numeric(rows["batch_size"], errors="coerce").fillna(np.inf),
    )
    rows = rows.sort_values([*PLACE, "variant", "phase", "form", "lookback", "batch", "model", "started"])
    rows = rows.drop_duplicates([*SHAPE, "label"], keep="last").reset_index(drop=True)
    rows.attrs = {"earlier": len(all_rows) - len(newest_code(all_rows))}
    return rows


def parameters(rows: pd.DataFrame) -> list[str]:
    """The columns of parameters that hold a value."""
    return [name for name in rows if name.startswith("params.") and rows[name].notna().any()]


def models(rows: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """For each row its variant, with those of the columns in which its namesakes differ."""
    names = rows["variant"].astype(object)
    for variant, group in rows.groupby("variant"):
        differing = [name for name in columns if group[name].nunique(dropna=False) > 1]
        for index, row in group[differing].iterrows() if differing else ():
            settings = (f"{name.removeprefix('params.')}={plain(row[name])}" for name in differing)
            names[index] = f"{variant} ({', '.join(settings)})"
    return names


def labels(rows: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """The model of each row, with its mode and dtype where they are not eager and float32."""
    return models(rows, columns) + [form_text(*form) for form in zip(rows["mode"], rows["dtype"], strict=True)]


def form_text(mode: str, dtype: str) -> str:
    """Mode and dtype after a name; nothing for eager and float32."""
    return "".join(f", {word}" for word in (mode, dtype) if word not in ("eager", "float32"))


def cell_name(label: str, cell: SpeedCell | pd.Series) -> str:
    """A cell in a few words."""
    return f"{label}, {PHASES[cell.phase]} at batch {cell.batch_size}, lookback {cell.lookback}"


def sheets(rows: pd.DataFrame) -> list[Sheet]:
    """The rows of whole-number batch sizes by place, then training before inference, then by lookback."""
    rows = rows[rows["batch_size"] != "max"].astype({"batch_size": int})
    differing = [name for name in PLACE if rows[name].nunique() > 1]
    parts = []
    for _, group in rows.assign(is_later=rows["phase"] != "train").groupby([*PLACE, "is_later", "lookback"]):
        first = group.iloc[0]
        where = f"lookback {first['lookback']}" + "".join(f", {name} {first[name]}" for name in differing)
        measured = group[group["batch_size"].isin(group.loc[group["is_measured"], "batch_size"])]
        counts = measured["batch_size"].value_counts()
        if common := sorted(map(int, counts[counts == counts.max()].index)):
            rates = group[group["batch_size"] == common[-1]].set_index("label")[RATE]
            speeds = group["label"].map(rates).fillna(0.0)
            group = group.assign(slowness=-speeds).sort_values(["slowness", "label"], kind="stable")
        parts.append(Sheet(first["phase"], where, group, common))
    return parts


def fullest(every: Sequence[Sheet]) -> list[Sheet]:
    """The sheets with at least half as many rows as the fullest of their phase.

    Lookbacks with fewer were measured to see how cost grows, not to compare variants.
    """
    return [
        sheet
        for sheet in every
        if 2 * len(sheet.rows) >= max(len(other.rows) for other in every if other.phase == sheet.phase)
    ]


def usual(rows: pd.DataFrame) -> pd.DataFrame:
    """For each variant the rows of one set of parameters: the most measured, or of several the middle one in size."""
    sets = rows.groupby(["variant", "model"]).agg(count=("is_measured", "sum"), size=("parameter_count", "max"))
    most = sets[sets["count"] == sets.groupby("variant")["count"].transform("max")].fillna(0).reset_index()
    by_size = most.sort_values("size", kind="stable").groupby("variant")["model"]
    return rows[rows["model"].isin([group.iloc[len(group) // 2] for _, group in by_size])]


def first_place(rows: pd.DataFrame) -> pd.DataFrame:
    """The measured rows of the first place."""
    rows = rows[rows["is_measured"]]
    return rows[(rows[PLACE] == rows[PLACE].iloc[0]).all(axis=1)] if len(rows) else rows


def main_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The measured rows of the first place and of one mode and dtype: eager float32, or the most frequent."""
    rows = first_place(rows)
    forms = rows["form"].value_counts()
    main = "eager float32" if "eager float32" in forms or forms.empty else forms.index[0]
    return rows[rows["form"] == main]


def kernel_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """For each variant, mode, dtype and phase the row of its largest cell, whose kernels_seen say most."""
    timed = rows[rows["is_measured"] & rows["kernels_seen"].notna()]
    work = timed["lookback"] * timed["batch_measured"] * timed["parameter_count"].fillna(0).clip(lower=1)
    largest = timed.assign(work=work).sort_values("work", kind="stable")
    largest = largest.drop_duplicates(["variant", "form", "phase", "machine"], keep="last")
    return largest.sort_values(["phase", "variant", "form"], ascending=[False, True, True])


def sweeps(rows: pd.DataFrame, over: str, at_least: int) -> Iterator[pd.DataFrame]:
    """Groups of measured rows that differ only in the number `over`, sorted by it, with `at_least` values of it.

    line: their label without `over`.
    """
    is_timed = rows["is_measured"] & (rows["batch_size"] != "max") & rows[over].map(_is_number)
    if rows.loc[is_timed, over].nunique() < at_least:
        return
    line = labels(rows, [name for name in parameters(rows) if name != over])
    timed, shared = rows.assign(line=line)[is_timed], [name for name in ["line", *SHAPE] if name != over]
    counts = timed.astype({over: float}).groupby(shared, sort=False)[over].transform("nunique")
    for _, group in timed[counts >= at_least].groupby(shared, sort=False):  # most lines have one value
        yield group.astype({over: float}).sort_values(over)


def parameter_sweeps(rows: pd.DataFrame) -> dict[str, list[pd.DataFrame]]:
    """By parameter, the sweeps over at least three of its values."""
    groups = {name.removeprefix("params."): list(sweeps(rows, name, 3)) for name in sorted(parameters(rows))}
    return {name: some for name, some in groups.items() if some}


def cliffs(rows: pd.DataFrame) -> pd.DataFrame:
    """Where a bigger model is faster than the next smaller one by more than both intervals, the largest gain first.

    The rows of the bigger models, with the columns line, parameter, smaller and bigger (its values), smaller_seconds
    and ratio. A cell that did not settle counts with its 5th to 95th percentile, and one that met no calm machine not
    at all.
    """
    parts = [rows[:0]]
    for name, groups in parameter_sweeps(rows).items():
        for group in groups:
            is_rough, is_calm = group["is_settled"].eq(False), ~group["is_calm"].eq(False)
            low = group["step_seconds.low"].mask(is_rough, group["step_seconds.p5"]).where(is_calm)
            high = group["step_seconds.high"].mask(is_rough, group["step_seconds.p95"]).where(is_calm)
            smaller = group.shift()
            compared = group.assign(parameter=name, smaller=smaller[f"params.{name}"], bigger=group[f"params.{name}"],
                                    smaller_seconds=smaller[TIME], ratio=group[TIME] / smaller[TIME])  # fmt: skip
            parts.append(compared[(group["parameter_count"].diff() > 0) & (high < low.shift())])  # False beside NaN
    parts = [part for part in parts if len(part)]
    return pd.concat(parts).sort_values(["ratio", "line"]) if parts else rows[:0]


def exponents(rows: pd.DataFrame) -> pd.DataFrame:
    """k of step time ~ size^k over batch_size and over lookback, by least squares on logarithms.

    Wherever at least four sizes were measured. Columns: over, fixed (the other of the two), label, is_baseline, phase;
    part (k over all sizes, or over the largest half), k, sizes.
    """
    lines = []
    for over, fixed in (("batch_size", "lookback"), ("lookback", "batch_size")):
        for group in sweeps(usual(first_place(rows)), over, 4):
            shared = {"over": over, **group.rename(columns={fixed: "fixed"}).iloc[0][["fixed", *SHARED]]}
            for part, some in (("k", group), ("k, largest half", group.iloc[len(group) // 2 :])):
                k = float(np.polyfit(np.log(some[over]), np.log(some[TIME]), 1)[0])
                sizes = f"{some[over].iloc[0]:.0f}-{some[over].iloc[-1]:.0f}"
                lines.append({**shared, "part": part, "k": k, "sizes": sizes})
    return pd.DataFrame(lines)


def thinned(values: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the values, evenly chosen: the last, and the first where there is room for two."""
    places = np.linspace(len(values) - 1, 0, min(most, len(values)))
    return [values[round(place)] for place in places[::-1]]


def plain(value: Any) -> Any:
    """A parameter's value; a column with gaps turns whole numbers into floats, and this turns them back."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value
