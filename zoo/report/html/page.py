"""The page: the answers first, then tables, charts and where everything comes from, in one file."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from zoo.report.board import Board, judged
from zoo.report.chart import Chart, plotly
from zoo.report.leaderboard import LEGEND, leaderboard, leaderboard_table, ranks_legend, sentences
from zoo.report.markdown import TUNING_LEGEND, failures, legend, provenance
from zoo.report.pictures import by_step, first_seeds, forecasts, learning, ranks, residuals, skill, trade, tuning
from zoo.report.section import Captioned, Section
from zoo.report.speed import SpeedSection, speed_section
from zoo.report.tables import accuracy_table, target_table, tuning_table
from zoo.report.text_table import Text, TextTable
from zoo.report.verdict import verdict
from zoo.run.predictions import Stored

EXTREMES = 5  # windows that a table shows of the largest errors, and of the smallest


def html_page(frame: pd.DataFrame) -> str:
    """One page for all rows of `zoo.results`: it opens offline, requests nothing, and is the same for the same rows."""
    boards = judged(frame)
    sections = [all_problems(boards)] if len(boards) > 1 else []
    sections += [board_section(board) for board in boards]
    trials = tuning(Path(folder) for folder in dict.fromkeys(frame["folder"]))
    if trials is not None:
        sections.append(Section("Tuning", blocks=[trials]))
    speed = speed_section(frame)
    if speed is not None:
        sections.append(speed_part(speed))
    left_out = [*frame.attrs.get("left_out", ()), *(speed.left_out if speed is not None else ())]
    if left_out:
        sections.append(Section("Left out", left_out))
    return _rendered(", ".join(dict.fromkeys(frame["suite"])), sections)


def all_problems(boards: Sequence[Board]) -> Section:
    """The leaderboard over the boards, or why there is none."""
    title = "Over all problems"
    try:
        standings = leaderboard(boards)
    except ValueError as error:
        return Section(title, [f"Nothing to rank: {error}."])
    blocks: list[Captioned | Chart] = [Captioned("", leaderboard_table(standings), LEGEND)]
    if standings.ranks is not None:
        blocks.append(ranks(standings.ranks, ranks_legend(standings.ranks)))
    return Section(title, sentences(standings), blocks)


def board_section(board: Board) -> Section:
    """Everything about one problem: the verdict, each variant's figures, charts, failures and provenance."""
    stored = first_seeds(board)
    tuned, per_target = tuning_table(board), target_table(board)
    blocks = [
        Captioned("", accuracy_table(board), legend(board)),
        Captioned("What tuning gained", tuned, TUNING_LEGEND) if tuned is not None else None,
        Captioned("", per_target, "rmse of each target in its own units") if per_target is not None else None,
        skill(board),
        trade(board),
        *forecasts(board, stored),
        *residuals(board, stored),
        *by_step(board, stored),
        extreme_windows(stored),
        learning(board, stored),
    ]
    return Section(
        board.title,
        verdict(board),
        [block for block in blocks if block is not None],
        failures(board),
        provenance(board),
        commands(board.runs),
    )


def speed_part(speed: SpeedSection) -> Section:
    """Everything about speed: the verdict, each chapter's charts and tables, failures and provenance."""
    figures = speed.charts
    blocks: list[Captioned | Chart] = []
    for chapter in speed.chapters:
        panels = [chart for row in figures.get(chapter.picture, ()) for chart in row]
        blocks += [replace(panel, title=f"{chapter.heading}: {panel.title}") for panel in panels]
        blocks += [Captioned(title or chapter.heading, table, chapter.note) for title, table in chapter.tables]
    texts = [*speed.verdict, speed.subject]
    return Section(f"Speed: {speed.title}", texts, blocks, speed.failures, speed.provenance, speed.commands)


def extreme_windows(stored: dict[str, Stored], most: int = EXTREMES) -> Captioned | None:
    """The test windows in which the best line's first seed errs most and least, with actual values and forecasts."""
    label, best = next(iter(stored.items()), ("", None))
    losses = best.losses() if best is not None else None
    if best is None or losses is None:
        return None
    order = np.argsort(losses, kind="stable")
    rows = []
    for kind, places in (("largest", order[::-1][:most]), ("smallest", order[:most])):
        for place in places:
            row = f"row {best.target_row[place]}"
            when = (
                str(best.time[place].astype("datetime64[s]")).removesuffix("T00:00:00")
                if best.time is not None
                else row
            )
            numbers = (best.last[place], best.truth[place], best.forecast[place])
            rows.append(tuple(map(Text, (kind, when, *map(_numbers, numbers)))))
    header = ("error", "first step", "value before", "actual", "forecast")
    table = TextTable(header, tuple(rows), (False,) * len(rows))
    return Captioned(f"Windows in which {label} errs most and least", table, "", is_sortable=False)


def commands(runs: pd.DataFrame) -> list[str]:
    """The commands that wrote rows, those that tuned first."""
    tuned = runs.get("tuning.command", [])
    return [command for command in dict.fromkeys([*tuned, *runs["command"]]) if isinstance(command, str)]


def _rendered(title: str, sections: Sequence[Section]) -> str:
    from jinja2 import Environment, StrictUndefined
    from plotly.offline import get_plotlyjs

    assets = {name: files("zoo.report.html").joinpath(name).read_text(encoding="utf-8")
              for name in ("page.html.j2", "page.css", "page.js")}  # fmt: skip
    charts = [block for section in sections for block in section.blocks if isinstance(block, Chart)]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["sort_value"] = sort_value
    return environment.from_string(assets["page.html.j2"]).render(
        title=title,
        sections=sections,
        figures={f"figure-{number}": plotly(chart) for number, chart in enumerate(charts, start=1)},
        style=assets["page.css"],
        script=assets["page.js"],
        library=get_plotlyjs().replace("</script", "<\\/script") if charts else "",
    )


def sort_value(text: str) -> str:
    """What a cell is sorted by: the number that its text begins with, else the text; "" where there is nothing."""
    if text == "-":
        return ""
    words = text.replace(",", "").lstrip("<").rstrip("~†").split()
    try:
        return str(float(words[0])) if words else ""
    except ValueError:
        return text


def _numbers(values: np.ndarray) -> str:
    flat = values.reshape(-1)
    return ", ".join(f"{value:.6g}" for value in flat[:12]) + (", ..." if len(flat) > 12 else "")
