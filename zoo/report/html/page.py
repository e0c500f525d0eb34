"""The page: the answers first, then tables, charts and where everything comes from, in one file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd

from zoo.report.board import MINIMUM_SKILL, Board
from zoo.report.board_section import board_section
from zoo.report.chart import Chart
from zoo.report.evidence import judged
from zoo.report.html.figure import plotly
from zoo.report.leaderboard import leaderboard, leaderboard_section
from zoo.report.pictures import by_step, first_seeds, forecasts, learning, residuals, skill
from zoo.report.section import Captioned, Section
from zoo.report.speed import speed_section
from zoo.report.text_table import table_of
from zoo.run.predictions import Stored

# plotly.js without the kinds of charts that no page has; a newer one: npm pack plotly.js-basic-dist-min
LIBRARY = "plotly-basic.min.js"
EXTREMES = 5  # windows that a table shows of the largest errors, and of the smallest


def html_page(frame: pd.DataFrame, *, minimum_skill: float = MINIMUM_SKILL) -> str:
    """One page for all rows of `zoo.results`: it opens offline, requests nothing, and is the same for the same rows."""
    boards, speed = judged(frame, minimum_skill=minimum_skill), speed_section(frame)
    sections = [_all_problems(boards)] if len(boards) > 1 else []
    sections += map(_with_charts, boards)
    if speed is not None:
        sections.append(speed)
    if left_out := frame.attrs.get("left_out"):
        sections.append(Section("Left out", left_out))
    return rendered(", ".join(dict.fromkeys(frame["suite"])), sections)


def _all_problems(boards: Sequence[Board]) -> Section:
    """The leaderboard over the boards, or why there is none."""
    try:
        return leaderboard_section(leaderboard(boards))
    except ValueError as error:
        return Section("Over all problems", [f"Nothing to rank: {error}."])


def _with_charts(board: Board) -> Section:
    """The section of a board with its charts, and with the windows in which its best line errs most and least."""
    stored, section = first_seeds(board), board_section(board)
    first, blocks = (
        skill(board),
        [
            *forecasts(board, stored),
            *residuals(board, stored),
            *by_step(board, stored),
            extreme_windows(stored) if not board.classes else None,
            learning(board, stored),
        ],
    )
    every = [first, *section.blocks, *blocks]
    return replace(section, blocks=[block for block in every if block is not None])


def extreme_windows(stored: Mapping[str, Stored]) -> Captioned | None:
    """The test windows in which the best line's first seed errs most and least, with actual values and forecasts."""
    label, best = next(iter(stored.items()), ("", None))
    losses = best.losses() if best is not None else None
    if best is None or losses is None:
        return None
    when = [f"row {row}" for row in best.target_row]
    if best.time is not None:
        when = [str(time).removesuffix("T00:00:00") for time in best.time.astype("datetime64[s]")]
    order = np.argsort(losses, kind="stable")
    places = [*(("largest", place) for place in order[::-1][:EXTREMES]), *(("smallest", p) for p in order[:EXTREMES])]
    lines = [
        {
            "error": kind,
            "first step": when[place],
            "value before": _numbers(best.last[place]),
            "actual": _numbers(best.truth[place]),
            "forecast": _numbers(best.forecast[place]),
        }
        for kind, place in places
    ]
    return Captioned(f"Windows in which {label} errs most and least", table_of(lines), "")


def rendered(title: str, sections: Sequence[Section]) -> str:
    """One page of sections, with its style, its script and the library that draws their charts."""
    from jinja2 import Environment, StrictUndefined

    assets = {name: files("zoo.report.html").joinpath(name).read_text(encoding="utf-8")
              for name in ("page.html.j2", "page.css", "page.js", LIBRARY)}  # fmt: skip
    charts = [block for section in sections for block in section.blocks if isinstance(block, Chart)]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["sort_value"] = sort_value
    return environment.from_string(assets["page.html.j2"]).render(
        title=title,
        sections=sections,
        figures={f"figure-{number}": plotly(chart) for number, chart in enumerate(charts, start=1)},
        style=assets["page.css"],
        script=assets["page.js"],
        library=assets[LIBRARY].replace("</script", "<\\/script") if charts else "",
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
