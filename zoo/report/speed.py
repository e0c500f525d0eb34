"""The report of speed: tables, sentences and pictures of speed rows, as values, as Markdown and for a terminal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape

from zoo.errors import InputError
from zoo.files import write_text
from zoo.report import speed_verdict as words
from zoo.report.board import counted
from zoo.report.chart import Figure
from zoo.report.speed_pictures import PICTURES, draw_speed, speed_charts
from zoo.report.speed_verdict import short
from zoo.report.terminal import WIDER, show_table
from zoo.report.text_table import Text, TextTable, escaped, markdown_list, markdown_table
from zoo.run.results import results
from zoo.speed import table as speed
from zoo.speed.table import PHASES, RATE, TIME, Sheet

MOST_BATCHES, MOST_CLIFFS, MOST_KERNELS = 8, 20, 3
PARTS = ["forward", "backward", "optimizer"]
RANKS = ["p50", "p95", "p99"]
Columns = dict[str, tuple[str, Callable[[Any], Any]]]
THROUGHPUT = (
    "Windows per second at each batch size, the median over repeats. Bold: the fastest that is no baseline; (b): a "
    "baseline; ~: not settled, the 95 % interval was still wider than ± 2 % when the time was up; †: measured in "
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


@dataclass(frozen=True)
class Chapter:
    """A part of the report: a heading, the name of its picture, titled tables, and how to read them."""

    heading: str
    picture: str
    note: str
    tables: Sequence[tuple[str, TextTable]]


@dataclass(frozen=True)
class SpeedSection:
    """A report of speed, as values. rows: as speed_rows gives them; tables: (title, table, caption) of every table."""

    rows: pd.DataFrame
    title: str
    verdict: list[str]
    subject: str
    chapters: list[Chapter]
    tables: list[tuple[str, TextTable, str]]
    provenance: list[tuple[str, str]]
    failures: list[str]
    commands: list[str]
    left_out: list[str]

    @property
    def charts(self) -> dict[str, Figure]:
        return speed_charts(self.rows)


def speed_section(frame: pd.DataFrame) -> SpeedSection | None:
    """The report of the speed rows in a frame of results; None where there are none."""
    if not (frame["kind"] == "speed").any():
        return None
    rows = speed.speed_rows(frame)
    chapters, earlier = list(_chapters(rows)), rows.attrs["earlier"]
    return SpeedSection(
        rows,
        title=", ".join(sorted(rows["suite"].unique())),
        verdict=words.verdict(rows),
        subject=words.subject(rows),
        chapters=chapters,
        tables=[(title or part.heading, table, part.note) for part in chapters for title, table in part.tables],
        provenance=words.provenance(rows),
        failures=words.failures(rows),
        commands=list(rows["command"].dropna().unique()),
        left_out=[f"{counted(earlier, 'speed row')} of earlier code of a variant left out"] if earlier else [],
    )


def speed_markdown(frame: pd.DataFrame, pictures: Sequence[str] = ()) -> str:
    """The report as Markdown; pictures: file names relative to it."""
    section = speed_section(frame)
    if section is None:
        return ""
    first, *more = map(escaped, section.verdict)
    parts = [f"# {escaped(section.title)}", f"**{first}**", *more, escaped(section.subject)]
    for part in section.chapters:
        parts.append(f"## {escaped(part.heading)}")
        parts += [f"![{PICTURES[part.picture]}]({name})" for name in pictures if name == f"{part.picture}.png"]
        for title, table in part.tables:
            parts += [f"### {escaped(title)}"] * bool(title) + [markdown_table(table)]
        parts.append(escaped(part.note))
    if section.failures:
        parts += ["## Cells that failed", markdown_list(section.failures)]
    parts += ["## How it was measured", markdown_list(f"{label}: {text}" for label, text in section.provenance)]
    parts += [escaped(f"{sentence}.") for sentence in section.left_out]
    parts.append("Run it again:\n\n" + "\n".join(f"    {command}" for command in section.commands))
    return "\n\n".join(parts if section.commands else parts[:-1]) + "\n"


def write_speed_report(folder: Path) -> None:
    """Write report.md and its pictures into a folder that zoo speed wrote."""
    frame = results(folder)
    try:
        pictures = draw_speed(speed.speed_rows(frame), folder)
    except OSError as error:
        raise InputError(f"cannot write pictures to {folder}: {error.strerror}") from error
    write_text(folder / "report.md", speed_markdown(frame, pictures))


def show_speed(console: Console, frame: pd.DataFrame) -> None:
    """Print the verdict, and windows per second with as many columns as there is room for."""
    section = speed_section(frame)
    if section is None:
        return
    console.print(f"[bold]{escape(section.verdict[0])}[/bold]", *map(escape, section.verdict[1:]), sep="\n")
    every, is_whole = speed.sheets(section.rows), True
    full = speed.fullest(every)
    for sheet in full:
        table = throughput_table(sheet)
        batches = [name for name in table.header if name.startswith("batch ")]
        choices = [("variant", *speed.thinned(batches, count)) for count in range(len(batches), 0, -1)]
        console.print(f"\n[bold]{escape(sheet.title)}[/bold]", highlight=False)
        is_whole &= show_table(console, table, *choices)
    hints = "" if is_whole else f" {WIDER}"
    hints += " Lookbacks of few variants are in report.md." if len(full) < len(every) else ""
    console.print(THROUGHPUT + hints, style="dim", markup=False, highlight=False)
    for failure in section.failures:
        console.print(f"[red]failed:[/red] {escape(failure)}", highlight=False)


def throughput_table(sheet: Sheet) -> TextTable:
    """Windows per second of each label at each batch size; the fastest that is no baseline is bold."""
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
        own = (100 * parts.div(parts.sum(axis=1), axis=0)).set_axis([f"{part} %" for part in PARTS], axis=1)
    else:
        singles = sheet.rows[sheet.rows["batch_size"] == 1].set_index("label").reindex(rows.index)
        own = 1e3 * singles[[f"latency_seconds.{rank}" for rank in RANKS]].set_axis(
            [f"{rank} ms" for rank in RANKS], axis=1
        )
    figures = {
        "ms/step": 1e3 * rows[TIME],
        "± %": 50 * (rows["step_seconds.high"] - rows["step_seconds.low"]) / rows[TIME],
        **own,
        "peak MB": 1e-6 * rows["peak_memory_bytes"],
        "kFLOP/window": 1e-3 * rows["flops_per_window"],
        "GFLOP/s": 1e-9 * rows["flops_per_second"],
        "ceiling %": 100 * rows["ceiling_share"],
    }
    texts = pd.DataFrame(figures).map(short)
    texts["ms/step"] = _marked(rows, texts["ms/step"])
    return _table(rows.reset_index(), texts)


def _chapters(rows: pd.DataFrame) -> Iterator[Chapter]:
    every = speed.sheets(rows)
    full = speed.fullest(every)
    ordered = sorted(every, key=lambda sheet: sheet not in full)  # lookbacks of few variants last
    tables = [(sheet.title, throughput_table(sheet)) for sheet in ordered]
    yield Chapter("Windows per second", "windows-per-second", THROUGHPUT, tables)
    if costs := [(f"{sheet.title}, batch {sheet.common[-1]:,}", cost_table(sheet)) for sheet in full if sheet.common]:
        yield Chapter("Cost of a step", "roofline", COST, costs)
    if len(largest := speed.kernel_rows(rows)):
        yield Chapter("Where the time goes", "", KERNELS, [("", _columns(largest, TIME_COLUMNS))])
    if sentence := words.cliff_sentence(rows):
        faster = speed.cliffs(rows)
        more = f" {len(faster) - MOST_CLIFFS} more with smaller gains are left out." * (len(faster) > MOST_CLIFFS)
        tables = [("", _columns(faster[:MOST_CLIFFS], CLIFF_COLUMNS, "line"))] if len(faster) else []
        yield Chapter("Cliffs", "cliffs", CLIFFS + more if tables else sentence, tables)
    if len(growth := speed.exponents(rows)):
        groups = growth.groupby("over")
        tables = [(f"Step time over {str(over).replace('_', ' ')}", _scaling_table(some)) for over, some in groups]
        yield Chapter("Scaling", "scaling", SCALING, tables)
    if len(searches := rows[(rows["batch_size"] == "max") & rows["is_measured"]]):
        yield Chapter("Largest batch", "", LARGEST, [("", _columns(searches, LARGEST_COLUMNS))])


def _scaling_table(growth: pd.DataFrame) -> TextTable:
    fixed = "lookback" if growth["over"].iloc[0] == "batch_size" else "batch"
    text = growth["k"].map("{:.2f}".format) + " (" + growth["sizes"] + ")"
    lines = growth.assign(text=text, column=growth["phase"].map(PHASES) + ": " + growth["part"])
    columns = sorted(lines["column"].unique(), key=lambda name: not name.startswith("training"))
    texts = lines.pivot(index=["fixed", "label", "is_baseline"], columns="column", values="text")[columns].fillna("-")
    rows = texts.index.to_frame(index=False)
    texts.insert(0, fixed, rows["fixed"].map(_whole).to_numpy())
    return _table(rows, texts)


def _columns(rows: pd.DataFrame, columns: Columns, label: str = "label") -> TextTable:
    texts = {name: rows[column].map(written) for name, (column, written) in columns.items()}
    return _table(rows.assign(label=rows[label]), pd.DataFrame(texts))


def _table(rows: pd.DataFrame, texts: pd.DataFrame, is_best: pd.DataFrame | None = None) -> TextTable:
    """A line for each of the rows; columns that hold a dash alone are left out."""
    texts = texts.loc[:, (texts != "-").any()]
    best = pd.DataFrame(False, texts.index, texts.columns)
    if is_best is not None:
        best.update(is_best)
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
