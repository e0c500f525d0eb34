"""The section of speed: the tables, sentences and pictures of speed rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from zoo.report import speed_verdict as words
from zoo.report.board import counted
from zoo.report.chart import Chart
from zoo.report.section import Captioned, Picture, Section
from zoo.report.speed_pictures import PICTURES, speed_charts
from zoo.report.speed_verdict import short
from zoo.report.text_table import Text, TextTable
from zoo.throughput import table as speed
from zoo.throughput.table import PHASES, RATE, TIME, Sheet

MOST_BATCHES, MOST_CLIFFS, MOST_KERNELS = 8, 20, 3
PARTS = ["forward", "backward", "optimizer"]
RANKS = ["p50", "p95", "p99"]
Columns = dict[str, tuple[str, Callable[[Any], Any]]]
Tables = list[tuple[str, TextTable]]  # with their titles
THROUGHPUT = (
    "Windows per second at each batch size, the median over repeats. Bold: the fastest model that is not a baseline; "
    "(b): a baseline; ~: not settled, because time ran out before the 95 % interval was within ± 2 %; †: measured in "
    "another mode, because the requested one failed; -: not requested."
)
COST = (
    "ms/step: median time of a step; ± %: half width of its 95 % interval; forward, backward, optimizer: shares of an "
    "eager training step; p50, p95, p99: percentiles of the latency of one forecast at batch 1; peak MB: the most "
    "memory that torch held during a step (10^6 bytes; with weights, optimizer state and input); kFLOP/window: matrix "
    "products and convolutions, 2 for each multiply-add; ceiling %: the least possible time of the step, by the "
    "measured ceilings of arithmetic and memory traffic, over the measured time. On a CPU it can exceed 100 %, because "
    "small data stay in the caches."
)
KERNELS = "The operators (CPU) or kernels (GPU) that take most of the time, in the largest cell of each line."
CLIFFS = "Each line: a model that is faster than the next smaller one, by more than both intervals."
SCALING = (
    "k: exponent in step time ~ size^k by least squares on logarithms, with the range of sizes. 1 is proportional; "
    "below 1, fixed costs dominate; above 1, a larger size costs more than its share."
)
LARGEST = "The largest batch that ran and what stopped the search; the best throughput among the sizes that were tried."


def speed_section(frame: pd.DataFrame, *, is_brief: bool = False) -> Section | None:
    """Everything about the speed rows of a frame of results; None where there are none.

    is_brief: the only tables are windows per second at the lookbacks at which most variants were measured.
    """
    if not (frame["kind"] == "speed").any():
        return None
    rows = speed.speed_rows(frame)
    title, earlier = ", ".join(sorted(rows["suite"].unique())), rows.attrs["earlier"]
    sentences = [*words.verdict(rows), words.cliff_sentence(rows), words.subject(rows)]
    if earlier:
        sentences.append(f"{counted(earlier, 'speed row')} of earlier code of a variant left out.")
    return Section(
        f"Speed: {title}",
        list(dict.fromkeys(filter(None, sentences))),
        _brief(rows) if is_brief else list(_blocks(rows)),
        words.failures(rows),
        words.provenance(rows),
        list(rows["command"].dropna().unique()),
    )


def throughput_table(sheet: Sheet) -> TextTable:
    """Windows per second of each label at each batch size; the fastest model that is not a baseline is bold."""
    rows = sheet.rows.assign(text=_marked(sheet.rows, sheet.rows[RATE].map("{:,.0f}".format)))
    lines = rows.drop_duplicates("label").set_index("label")
    rates, texts = (
        rows.pivot(index="label", columns="batch_size", values=name)
        .loc[lines.index]
        .rename(columns="batch {:,}".format)
        for name in (RATE, "text")
    )
    batches = speed.thinned(list(texts), MOST_BATCHES)
    counts = rows.groupby("label")["parameter_count"].max()[lines.index]
    shown = pd.DataFrame({"parameters": counts.map(_whole)}).join(texts[batches].fillna("-"))
    rates = rates.mask(lines["is_baseline"])
    return _table(lines.reset_index(), shown, rates.eq(rates.max()))


def cost_table(sheet: Sheet) -> TextTable:
    """What a step at the largest common batch costs."""
    rows = sheet.rows[sheet.rows["batch_size"] == sheet.common[-1]].set_index("label")
    if sheet.phase == "train":
        parts = rows[[f"part_seconds.{part}" for part in PARTS]]
        details = (100 * parts.div(parts.sum(axis=1), axis=0)).set_axis([f"{part} %" for part in PARTS], axis=1)
    else:
        singles = sheet.rows[sheet.rows["batch_size"] == 1].set_index("label").reindex(rows.index)
        details = 1e3 * singles[[f"latency_seconds.{rank}" for rank in RANKS]].set_axis(
            [f"{rank} ms" for rank in RANKS], axis=1
        )
    figures = {
        "ms/step": 1e3 * rows[TIME],
        "± %": 50 * (rows["step_seconds.high"] - rows["step_seconds.low"]) / rows[TIME],
        **details,
        "peak MB": 1e-6 * rows["peak_memory_bytes"],
        "kFLOP/window": 1e-3 * rows["flops_per_window"],
        "GFLOP/s": 1e-9 * rows["flops_per_second"],
        "ceiling %": 100 * rows["ceiling_share"],
    }
    texts = pd.DataFrame(figures).map(short)
    texts["ms/step"] = _marked(rows, texts["ms/step"])
    return _table(rows.reset_index(), texts)


def _brief(rows: pd.DataFrame) -> list[Captioned]:
    sheets = speed.sheets(rows)
    full = speed.fullest(sheets)
    caption = THROUGHPUT + " Lookbacks of few variants are in report.md." * (len(full) < len(sheets))
    return _captioned("Windows per second", caption, [(sheet.title, throughput_table(sheet)) for sheet in full])


def _blocks(rows: pd.DataFrame) -> Iterator[Captioned | Chart | Picture]:
    """The tables of each chapter, then its picture, as a PNG file and as the charts in it."""
    figures = speed_charts(rows)
    for heading, file, caption, tables in _chapters(rows):
        yield from _captioned(heading, caption, tables)
        if file in figures:
            yield Picture(file, PICTURES[file])
            yield from (replace(chart, title=f"{heading}: {chart.title}") for row in figures[file] for chart in row)


def _chapters(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, Tables]]:
    """(heading, file of its picture, caption, tables) of each chapter."""
    sheets = speed.sheets(rows)
    full = speed.fullest(sheets)
    ordered = sorted(sheets, key=lambda sheet: sheet not in full)  # lookbacks of few variants last
    rates = [(sheet.title, throughput_table(sheet)) for sheet in ordered]
    yield "Windows per second", "windows-per-second.png", THROUGHPUT, rates
    costs = [(f"{sheet.title}, batch {sheet.common[-1]:,}", cost_table(sheet)) for sheet in full if sheet.common]
    yield "Cost of a step", "roofline.png", COST, costs
    yield "Where the time goes", "", KERNELS, _columns(speed.kernel_rows(rows), TIME_COLUMNS)
    faster = speed.cliffs(rows)
    more = f" {len(faster) - MOST_CLIFFS} more with smaller gains are left out." * (len(faster) > MOST_CLIFFS)
    yield "Cliffs", "cliffs.png", CLIFFS + more, _columns(faster[:MOST_CLIFFS], CLIFF_COLUMNS, "line")
    growth = speed.exponents(rows)
    groups = growth.groupby("over") if len(growth) else ()
    exponents = [(f"Step time over {str(over).replace('_', ' ')}", _scaling_table(some)) for over, some in groups]
    yield "Scaling", "scaling.png", SCALING, exponents
    searches = rows[(rows["batch_size"] == "max") & rows["is_measured"]]
    yield "Largest batch", "", LARGEST, _columns(searches, LARGEST_COLUMNS)


def _captioned(heading: str, caption: str, tables: Tables) -> list[Captioned]:
    """The tables of a chapter, its caption below the last; a narrow terminal shows fewer batch sizes."""
    blocks = []
    for number, (title, table) in enumerate(tables, start=1):
        batches = [name for name in table.header if name.startswith("batch ")]
        narrow = [("variant", *speed.thinned(batches, count)) for count in range(len(batches), 0, -1)]
        own_caption = caption if number == len(tables) else ""
        blocks.append(Captioned(f"{heading}: {title}" if title else heading, table, own_caption, narrow))
    return blocks


def _scaling_table(growth: pd.DataFrame) -> TextTable:
    fixed = "lookback" if growth["over"].iloc[0] == "batch_size" else "batch"
    text = growth["k"].map("{:.2f}".format) + " (" + growth["sizes"] + ")"
    lines = growth.assign(text=text, column=growth["phase"].map(PHASES) + ": " + growth["part"])
    columns = sorted(lines["column"].unique(), key=lambda name: not name.startswith("training"))
    texts = lines.pivot(index=["fixed", "label", "is_baseline"], columns="column", values="text")[columns].fillna("-")
    rows = texts.index.to_frame(index=False)
    texts.insert(0, fixed, rows["fixed"].map(_whole).to_numpy())
    return _table(rows, texts)


def _columns(rows: pd.DataFrame, columns: Columns, label: str = "label") -> Tables:
    """One table without a title; none where there are no rows."""
    if rows.empty:
        return []
    texts = {name: rows[column].map(written) for name, (column, written) in columns.items()}
    return [("", _table(rows.assign(label=rows[label]), pd.DataFrame(texts)))]


def _table(rows: pd.DataFrame, texts: pd.DataFrame, is_best: pd.DataFrame | None = None) -> TextTable:
    """A line for each of the rows; columns that hold a dash alone are left out."""
    texts = texts.loc[:, (texts != "-").any()]
    best = texts.isna() if is_best is None else is_best.reindex(columns=texts.columns).eq(True)
    lines = [
        (Text(label), *map(Text, line, marks))
        for label, line, marks in zip(rows["label"], texts.to_numpy(), best.to_numpy(dtype=bool), strict=True)
    ]
    return TextTable(("variant", *texts), tuple(lines), tuple(rows["is_baseline"]))


def _marked(rows: pd.DataFrame, texts: pd.Series) -> pd.Series:
    """The figures with their marks; `failed` where there is none."""
    unsettled, in_other_mode = rows["is_settled"].eq(False), rows["fallback"].notna()
    marks = unsettled.map({True: "~", False: ""}) + in_other_mode.map({True: "†", False: ""})
    return (texts + marks).where(rows["is_measured"], "failed")


def _whole(number: float) -> str:
    return "-" if pd.isna(number) else f"{number:,.0f}"


def _milliseconds(seconds: float) -> str:
    return short(seconds, 1e3)


def _main_kernels(kernels: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in kernels[:MOST_KERNELS])


# by header: the column of the rows, and how its values are written
TIME_COLUMNS: Columns = {"phase": ("phase", PHASES.get), "share of the time": ("kernels_seen", _main_kernels)}
CLIFF_COLUMNS: Columns = {
    "parameter": ("parameter", str),
    "smaller": ("smaller", "{:g}".format),
    "bigger": ("bigger", "{:g}".format),
    "smaller ms": ("smaller_seconds", _milliseconds),
    "bigger ms": (TIME, _milliseconds),
    "ratio": ("ratio", "{:.2f}".format),
    "phase": ("phase", PHASES.get),
    "batch": ("batch_size", _whole),
    "lookback": ("lookback", _whole),
}
LARGEST_COLUMNS: Columns = {
    "phase": ("phase", PHASES.get),
    "lookback": ("lookback", _whole),
    "largest batch": ("search.largest", _whole),
    "limited by": ("search.limit", str),
    "best windows/s": (RATE, _whole),
    "at batch": ("batch_measured", _whole),
    "peak MB": ("peak_memory_bytes", lambda size: short(size, 1e-6)),
}
