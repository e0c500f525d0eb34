"""The report of speed: tables, sentences and pictures of speed rows, as values, as Markdown and for a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape

from zoo.errors import InputError
from zoo.files import write_text
from zoo.report.chart import Figure
from zoo.report.speed_pictures import PICTURES, draw_speed, speed_charts
from zoo.report.text_table import Text, TextTable, escaped, fits, markdown_list, markdown_table, rich_table
from zoo.run.results import results
from zoo.speed.table import (
    PHASES,
    RATE,
    TIME,
    Sheet,
    cliffs,
    exponents,
    fullest,
    kernel_rows,
    largest_batches,
    sheets,
    speed_rows,
    thinned,
)
from zoo.speed.verdict import cliff_sentence, failures, plural, provenance, short, subject, verdict

MOST_BATCHES, MOST_CLIFFS, MOST_KERNELS = 8, 20, 3
PARTS = ("forward", "backward", "optimizer")
THROUGHPUT = (
    "Windows per second at each batch size, the median over repeats. Bold: the fastest that is no baseline; (b): a "
    "baseline; ~: not settled, the 95 % interval was still wider than ± 2 % when the time was up; †: measured in "
    "another mode, because the requested one failed; -: not requested."
)
COST = (
    "ms/step: median time of a step; ± %: half width of its 95 % interval; forward, backward, optimizer: shares of an "
    "eager training step; p50, p95, p99: percentiles of the latency of one forecast at batch 1; peak MB: the most "
    "memory that torch allocated during a step (10^6 bytes; weights, optimizer state and input "
    "included); kFLOP/window: "
    "matrix products and convolutions, 2 for each multiply-add; ceiling %: the least possible time of the step, by the "
    "measured ceilings of arithmetic and memory traffic, over the measured time. On a CPU it can exceed "
    "100 %, because small "
    "data stay in the caches."
)
KERNELS = "The operators (CPU) or kernels (GPU) with the largest shares of the time, in the largest cell of each line."
CLIFFS = "Each line: a model that is faster than the next smaller one, beyond the intervals of both."
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
    tables: tuple[tuple[str, TextTable], ...]


@dataclass(frozen=True)
class SpeedSection:
    """A report of speed, as values."""

    rows: pd.DataFrame

    @property
    def title(self) -> str:
        return ", ".join(sorted(self.rows["suite"].unique()))

    @property
    def subject(self) -> str:
        return subject(self.rows)

    @cached_property
    def verdict(self) -> list[str]:
        return verdict(self.rows)

    @cached_property
    def chapters(self) -> list[Chapter]:
        return list(_chapters(self.rows))

    @property
    def tables(self) -> list[tuple[str, TextTable, str]]:
        """(title, table, caption) of every table."""
        return [(title, table, part.note) for part in self.chapters for title, table in part.tables]

    @property
    def charts(self) -> dict[str, Figure]:
        return speed_charts(self.rows)

    @property
    def provenance(self) -> list[tuple[str, str]]:
        return provenance(self.rows)

    @property
    def failures(self) -> list[str]:
        return failures(self.rows)

    @property
    def commands(self) -> list[str]:
        return [str(command) for command in self.rows["command"].dropna().unique()]

    @property
    def left_out(self) -> list[str]:
        """A sentence on rows that an earlier code of their variant gave."""
        earlier = self.rows.attrs.get("earlier", 0)
        return [f"{plural(earlier, 'speed row')} of earlier code of a variant left out"] if earlier else []


def speed_section(frame: pd.DataFrame) -> SpeedSection | None:
    """The report of the speed rows in a frame of results; None where there are none."""
    return SpeedSection(speed_rows(frame)) if (frame["kind"] == "speed").any() else None


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
    if section.left_out:
        parts.append(escaped(section.left_out[0] + "."))
    if section.commands:
        parts.append("Run it again:\n\n" + "\n".join(f"    {command}" for command in section.commands))
    return "\n\n".join(parts) + "\n"


def write_speed_report(folder: Path) -> list[str]:
    """Write report.md and its pictures into a folder that zoo speed wrote; sentences on rows left out."""
    frame = results(folder)
    try:
        pictures = draw_speed(frame, folder)
    except OSError as error:
        raise InputError(f"cannot write pictures to {folder}: {error.strerror}") from error
    write_text(folder / "report.md", speed_markdown(frame, pictures))
    return list(frame.attrs["left_out"])


def show_speed(console: Console, frame: pd.DataFrame) -> None:
    """Print windows per second, with as many columns as there is room for, and the verdict."""
    section = speed_section(frame)
    if section is None:
        return
    every = sheets(section.rows)
    is_narrow = False
    for sheet in fullest(every):
        table = throughput_table(sheet)
        shown = next(
            (some for some in _narrower(table) if fits(console, rich_table(some, sheet.title))), table.only("variant")
        )
        is_narrow |= shown.header != table.header
        console.print(rich_table(shown, sheet.title))
    hint = " A wider terminal shows more columns, as does report.md." if is_narrow else ""
    hint += " Lookbacks of few variants are in report.md." if len(fullest(every)) < len(every) else ""
    console.print(THROUGHPUT + hint, style="dim", markup=False, highlight=False)
    for failure in section.failures:
        console.print(f"[red]failed[/red] {escape(failure)}")
    first, *more = section.verdict
    console.print(f"[bold]{escape(first)}[/bold]", *(escape(sentence) for sentence in more), sep="\n")


def throughput_table(sheet: Sheet) -> TextTable:
    """Windows per second of each label at each batch size; the fastest that is no baseline is bold."""
    rates = sheet.rates
    texts = sheet.rows.assign(text=[_rate(row) for _, row in sheet.rows.iterrows()])
    texts = texts.pivot(index="label", columns="batch_size", values="text")
    counts = sheet.rows.groupby("label")["parameter_count"].max()
    baselines = sheet.rows.groupby("label")["is_baseline"].first()
    best = rates[~baselines[rates.index]].max()
    batches = thinned(list(rates.columns), MOST_BATCHES)
    lines = []
    for label in rates.index:
        line = [Text(label), Text(_count(counts[label]))]
        for batch in batches:
            text = texts.loc[label, batch]
            is_best = not baselines[label] and rates.loc[label, batch] == best[batch]
            line.append(Text(text if isinstance(text, str) else "-", bool(is_best)))
        lines.append(tuple(line))
    header = ("variant", "parameters", *(f"batch {batch:,}" for batch in batches))
    return TextTable(header, tuple(lines), tuple(bool(baselines[label]) for label in rates.index))


def cost_table(sheet: Sheet) -> TextTable:
    """What a step at the largest common batch costs; columns without a value are left out."""
    rows = sheet.rows[sheet.rows["batch_size"] == sheet.common[-1]]
    latency = sheet.rows[sheet.rows["batch_size"] == 1].set_index("label")
    lines = []
    for _, row in rows.iterrows():
        if sheet.phase == "infer":
            single = latency.loc[row["label"]] if row["label"] in latency.index else {}
            own = {f"{p} ms": short(single.get(f"latency_seconds.{p}"), 1e3) for p in ("p50", "p95", "p99")}
        else:
            parts = {part: row[f"part_seconds.{part}"] for part in PARTS}
            own = {f"{part} %": short(seconds / sum(parts.values()), 100) for part, seconds in parts.items()}
        half = (row["step_seconds.high"] - row["step_seconds.low"]) / 2
        lines.append(
            {
                "variant": row["label"],
                "ms/step": short(row[TIME], 1e3) + _marks(row) if row["is_measured"] else "failed",
                "± %": short(half / row[TIME], 100),
                **own,
                "peak MB": short(row["peak_memory_bytes"], 1e-6),
                "kFLOP/window": short(row["flops_per_window"], 1e-3),
                "GFLOP/s": short(row["flops_per_second"], 1e-9),
                "ceiling %": short(row["ceiling_share"], 100),
            }
        )
    return _table(lines, rows["is_baseline"])


def _chapters(rows: pd.DataFrame) -> Iterator[Chapter]:
    every = sheets(rows)
    full = fullest(every)
    ordered = sorted(every, key=lambda sheet: sheet not in full)  # lookbacks of few variants last
    tables = [(sheet.title, throughput_table(sheet)) for sheet in ordered]
    yield Chapter("Windows per second", "windows-per-second", THROUGHPUT, tuple(tables))
    costs = [(f"{sheet.title}, batch {sheet.common[-1]:,}", cost_table(sheet)) for sheet in full if sheet.common]
    if costs:
        yield Chapter("Cost of a step", "roofline", COST, tuple(costs))
    if len(kernels := kernel_rows(rows)):
        yield Chapter("Where the time goes", "", KERNELS, (("", _kernel_table(kernels)),))
    if sentence := cliff_sentence(rows):
        faster = cliffs(rows)
        note = CLIFFS if faster else sentence
        if len(faster) > MOST_CLIFFS:
            note += f" {len(faster) - MOST_CLIFFS} more with smaller gains are left out."
        yield Chapter("Cliffs", "cliffs", note, (("", _cliff_table(faster[:MOST_CLIFFS])),) if faster else ())
    if len(growth := exponents(rows)):
        tables = [
            (f"Step time over {str(over).replace('_', ' ')}", _scaling_table(some))
            for over, some in growth.groupby("over")
        ]
        yield Chapter("Scaling", "scaling", SCALING, tuple(tables))
    if len(searches := largest_batches(rows)):
        yield Chapter("Largest batch", "", LARGEST, (("", _largest_table(searches)),))


def _kernel_table(rows: pd.DataFrame) -> TextTable:
    lines = [
        {
            "variant": row["label"],
            "phase": PHASES[row["phase"]],
            "share of the time": ", ".join(f"{name} {share:.0%}" for name, share in row["kernels_seen"][:MOST_KERNELS]),
        }
        for _, row in rows.iterrows()
    ]
    return _table(lines, rows["is_baseline"])


def _cliff_table(faster: Sequence[dict[str, Any]]) -> TextTable:
    lines = [
        {
            "variant": cliff["label"],
            "parameter": cliff["parameter"],
            "smaller": str(cliff["smaller"]),
            "bigger": str(cliff["bigger"]),
            "smaller ms": short(cliff["smaller_seconds"], 1e3),
            "bigger ms": short(cliff["bigger_seconds"], 1e3),
            "ratio": f"{cliff['ratio']:.2f}",
            "phase": PHASES[cliff["phase"]],
            "batch": f"{cliff['batch_size']:,}",
            "lookback": str(cliff["lookback"]),
        }
        for cliff in faster
    ]
    return _table(lines, [False] * len(lines))


def _scaling_table(rows: pd.DataFrame) -> TextTable:
    fixed = "lookback" if rows["over"].iloc[0] == "batch_size" else "batch"
    lines, baselines = [], []
    for (size, label), group in rows.groupby(["fixed", "label"]):
        phases = group.set_index("phase")
        line = {"variant": str(label), fixed: f"{size:,}"}
        for phase in (phase for phase in PHASES if phase in set(rows["phase"])):
            for name, part in (("k", ""), ("k_half", ", largest half")):
                sizes = name.replace("k", "sizes")
                there = phase in phases.index
                text = f"{phases.loc[phase, name]:.2f} ({phases.loc[phase, sizes]})" if there else "-"
                line[f"{PHASES[phase]}: k{part}"] = text
        lines.append(line)
        baselines.append(bool(group["is_baseline"].iloc[0]))
    return _table(lines, baselines)


def _largest_table(rows: pd.DataFrame) -> TextTable:
    lines = [
        {
            "variant": row["label"],
            "phase": PHASES[row["phase"]],
            "lookback": f"{row['lookback']:,}",
            "largest batch": _count(row["search.largest"]),
            "limited by": row["search.limit"] if isinstance(row["search.limit"], str) else "-",
            "best windows/s": _count(row[RATE]),
            "at batch": _count(row["batch_measured"]),
            "peak MB": short(row["peak_memory_bytes"], 1e-6),
        }
        for _, row in rows.iterrows()
    ]
    return _table(lines, rows["is_baseline"])


def _table(lines: Sequence[dict[str, str]], baselines: Iterable[Any]) -> TextTable:
    """Lines of text by column; columns that hold a dash alone are left out."""
    header = [name for name in lines[0] if any(line[name] != "-" for line in lines)]
    rows = tuple(tuple(Text(line[name]) for name in header) for line in lines)
    return TextTable(tuple(header), rows, tuple(map(bool, baselines)))


def _rate(row: Any) -> str:
    return f"{row[RATE]:,.0f}{_marks(row)}" if row["is_measured"] else "failed"


def _marks(row: Any) -> str:
    return "~" * (row["is_settled"] is False) + "†" * isinstance(row["fallback"], str)


def _count(number: Any) -> str:
    return "-" if pd.isna(number) else f"{number:,.0f}"


def _narrower(table: TextTable) -> Iterator[TextTable]:
    """The table, then without parameters, then with ever fewer batch sizes."""
    variant, _, *batches = table.header
    yield table
    for count in range(len(batches), 0, -1):
        places = thinned(range(len(batches)), count) if count > 1 else [len(batches) - 1]
        yield table.only(variant, *(batches[place] for place in places))
