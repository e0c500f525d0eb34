"""The page: verdicts first, then tables, pictures and where everything comes from, in one file."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from zoo.report.board import Board, Line, Row
from zoo.report.evidence import judged
from zoo.report.html import figures
from zoo.report.html.figures import Figure
from zoo.report.leaderboard import LEGEND, leaderboard, leaderboard_table, ranks_legend, sentences
from zoo.report.markdown import TUNING_LEGEND, legend, provenance
from zoo.report.predictions import Load
from zoo.report.results import Results
from zoo.report.tables import accuracy_table, target_table, tuning_table
from zoo.report.text_table import TextTable
from zoo.report.verdict import verdict
from zoo.speed.report.method import failures, method, speed_provenance, subject
from zoo.speed.report.sheets import fullest, sheets
from zoo.speed.report.tables import THROUGHPUT_LEGEND, throughput_table
from zoo.speed.report.verdict import speed_verdict

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


class _Page:
    """Parts of the body in order, and the figures that its places name."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.figures: dict[str, Figure] = {}
        self.tables = 0
        self.chapters: list[str] = []

    def chapter(self, title: str) -> None:
        """A heading that the list at the top leads to."""
        self.chapters.append(title)
        self.parts.append(f'<h2 id="chapter-{len(self.chapters)}">{escape(title)}</h2>')

    def contents(self) -> str:
        """The list of chapters, where there are several."""
        if len(self.chapters) < 2:
            return ""
        items = "".join(
            f'<li><a href="#chapter-{number}">{escape(title)}</a></li>'
            for number, title in enumerate(self.chapters, start=1)
        )
        return f"<nav><ul>{items}</ul></nav>"

    def add(self, tag: str, text: str, kind: str = "") -> None:
        """An element with text in it."""
        attribute = f' class="{kind}"' if kind else ""
        self.parts.append(f"<{tag}{attribute}>{escape(text)}</{tag}>")

    def figure(self, figure: Figure | None, title: str, told: str = "") -> None:
        """A heading and a place for a figure; nothing without one."""
        if figure is None:
            return
        name = f"figure-{len(self.figures) + 1}"
        self.figures[name] = figure
        self.add("h3", title)
        if told:
            self.add("p", told, "faint")
        self.parts.append(f'<div class="plot" id="{name}" role="img" aria-label="{escape(title)}"></div>')

    def table(self, table: TextTable, caption: str) -> None:
        """A table to sort by any column and to filter by its first."""
        self.tables += 1
        name = f"table-{self.tables}"
        self.parts.append(
            f'<label>show only <input type="search" data-table="{name}" '
            f'placeholder="{escape(table.header[0])}"></label>'
        )
        header = "".join(
            f'<th scope="col" aria-sort="none"><button type="button">{escape(text)}</button></th>'
            for text in table.header
        )
        rows = []
        for cells, is_baseline in zip(table.rows, table.baseline, strict=True):
            name_of, *rest = cells
            shown = _cell(name_of.text + " (b)" * is_baseline, name_of.is_best)
            shown += "".join(_cell(cell.text, cell.is_best) for cell in rest)
            kind = ' class="baseline"' if is_baseline else ""
            rows.append(f"<tr{kind}>{shown}</tr>")
        self.parts.append(
            f'<div class="scroll"><table class="sortable" id="{name}" aria-describedby="{name}-legend">'
            f"<thead><tr>{header}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
            f'<p class="faint" id="{name}-legend">{escape(caption)}</p>'
        )

    def listed(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Labels and texts."""
        items = "".join(f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in pairs)
        self.parts.append(f"<dl>{items}</dl>")

    def commands(self, commands: Iterable[str]) -> None:
        """What to type to have it again."""
        text = "\n".join(dict.fromkeys(command for command in commands if command))
        if text:
            self.add("h3", "Run it again")
            self.add("pre", text)


def html_page(results: Results) -> str:
    """One page for all rows: it opens offline, asks no network for anything, and is the same for the same input."""
    page = _Page()
    boards = judged(results.accuracy, results.load)
    suites = dict.fromkeys(str(row["suite"]) for row in (*results.accuracy, *results.speed))
    title = ", ".join(suites)
    if len(boards) > 1:
        _all_problems(page, boards)
    for board in boards:
        _board(page, board, results.load)
    if results.trials:
        page.chapter("Tuning")
        page.figure(figures.trials(dict(results.trials)), "Validation value over trials", TRIALS)
    if results.speed:
        _speed(page, results.speed)
    if results.left_out:
        page.chapter("Left out")
        for sentence in results.left_out:
            page.add("p", sentence)
    return _whole(title, page)


def _all_problems(page: _Page, boards: Sequence[Board]) -> None:
    """The leaderboard over the boards, or why there is none."""
    page.chapter("Over all problems")
    try:
        found = leaderboard(boards)
    except ValueError as error:
        page.add("p", f"Nothing to rank: {error}.")
        return
    first, *more = sentences(found)
    page.add("p", first, "verdict")
    for sentence in more:
        page.add("p", sentence)
    page.table(leaderboard_table(found), LEGEND)
    if found.ranks is not None:
        page.figure(figures.ranks(found.ranks), "Mean ranks", ranks_legend(found.ranks))


ROOFLINE = (
    "Of each cell the operations a second it reaches, over the operations for each byte that it must move; circles are "
    "training, triangles inference; the lines are what this device was measured to reach at most."
)
TRIALS = "The best so far after each trial that ended, of each tuned variant."


def _board(page: _Page, board: Board, load: Load) -> None:
    problem = board.problem
    targets = ", ".join(problem["targets"])
    steps = f"{problem['horizon']} step{'s' * (problem['horizon'] != 1)}"
    page.chapter(f"{targets} of {board.data['source']}: {steps} ahead from {problem['lookback']}")
    first, *more = verdict(board)
    page.add("p", first, "verdict")
    for sentence in more:
        page.add("p", sentence)
    page.table(accuracy_table(board), legend(board))
    tuned, per_target = tuning_table(board), target_table(board)
    if tuned is not None:
        page.add("h3", "What tuning bought")
        page.table(tuned, TUNING_LEGEND)
    if per_target is not None:
        page.table(per_target, "rmse of each target in its own units")
    page.figure(figures.seeds(board), "Skill of each seed", SEEDS)
    page.figure(figures.pareto(board), "Accuracy, throughput and size", PARETO)
    for target, figure in figures.forecasts(board, load):
        page.figure(figure, f"Forecasts of {target}, one step ahead, and what came", SHOW)
    for target, figure in figures.residuals(board, load):
        page.figure(figure, f"Errors of {target} over time", SHOW)
    for target, figure in figures.by_step(board, load):
        page.figure(figure, f"Error of {target} by step ahead")
    _windows(page, board, load)
    page.figure(figures.learning(board, load), "Learning curves", "Of the first seed of each variant that trains.")
    failed = [(line, row) for line in board.lines for row in line.failed]
    if failed:
        page.add("h3", "Cells that failed")
        for line, row in failed:
            page.add("p", f"{line.label}, seed {row['seed']}: {row['error']}", "failed")
    page.add("h3", "Where the figures come from")
    page.listed(provenance(board))
    page.commands([*(line.tuning["command"] for line in board.lines if line.tuning), *_commands(board.rows)])


SEEDS = "A dot is a seed; the bar is the 95 % interval of the mean skill over seeds and test windows. Zero is naive."
PARETO = (
    "Dots grow with the number of parameters; no other variant is both faster and more accurate than the dotted line."
)
SHOW = "Of each variant's first seed. A click on a name in the legend shows or hides it, a double click shows it alone."


def _windows(page: _Page, board: Board, load: Load) -> None:
    """The test windows in which the best line errs most and least, each with what came and what was forecast."""
    best: Line | None = next((line for line in board.lines if not line.is_naive and line.rows), None)
    found = figures.worst_windows(best, load) if best is not None else None
    if best is None or found is None:
        return
    worst, least, stored = found
    rows = []
    for kind, places in (("largest", worst), ("smallest", least)):
        for place in places:
            when = str(stored.time[place].astype("datetime64[s]")) if stored.time is not None else ""
            truth, forecast = (_numbers(values[place]) for values in (stored.truth, stored.forecast))
            where = when.removesuffix("T00:00:00") or f"row {int(stored.target_row[place])}"
            rows.append((kind, where, _numbers(stored.last[place]), truth, forecast))
    header = ("error", "first step", "value before", "what came", "forecast")
    body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in header)
    page.add("h3", f"Windows in which {best.label} errs most and least")
    page.parts.append(f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def _speed(page: _Page, rows: Sequence[Row]) -> None:
    page.chapter("Speed")
    page.add("p", subject(rows))
    first, *more = speed_verdict(rows)
    page.add("p", first, "verdict")
    for sentence in more:
        page.add("p", sentence)
    for sheet in fullest(sheets(rows)):
        if len(sheet.batches) > 1:
            curves = {
                line.label: [line.rate(batch) for batch in sheet.batches]
                for line in sheet.lines
                if not line.is_baseline
            }
            page.figure(figures.speed_curves("", sheet.batches, curves), f"Windows per second: {sheet.title}")
        page.table(throughput_table(sheet), f"{sheet.title}. {THROUGHPUT_LEGEND}")
    page.figure(figures.roofline(rows), "How near each step comes to the ceilings", ROOFLINE)
    page.add("h3", "Method")
    for paragraph in method(rows):
        page.add("p", paragraph)
    for failure in failures(rows):
        page.add("p", failure, "failed")
    page.listed(speed_provenance(rows))
    page.commands(_commands(rows))


def _commands(rows: Iterable[Row]) -> list[str]:
    return [str(row["command"]) for row in rows if row.get("command")]


def _cell(text: str, is_best: bool) -> str:
    """A cell with the number to sort by, where its text begins with one."""
    kind = ' class="best"' if is_best else ""
    return f'<td{kind} data-value="{escape(_plain(text))}">{escape(text)}</td>'


def _plain(text: str) -> str:
    if text == "-":
        return ""
    words = text.replace(",", "").lstrip("<").rstrip("~†").split()
    try:
        return str(float(words[0])) if words else ""
    except ValueError:
        return text


def _numbers(values: Any) -> str:
    flat = values.reshape(-1)
    return ", ".join(f"{value:.6g}" for value in flat[:12]) + (", ..." if len(flat) > 12 else "")


def _whole(title: str, page: _Page) -> str:
    from plotly.offline import get_plotlyjs

    asset = files("zoo.report.html")
    style, script = (asset.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    # In a script element only the end tag, a comment and another script's start can be misread.
    values = json.dumps(page.figures, allow_nan=False).replace("<", "\\u003c")
    library = get_plotlyjs().replace("</script", "<\\/script") if page.figures else ""
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
            f"<h1>{escape(title)}</h1>",
            page.contents(),
            *page.parts,
            f'</main>\n<script type="application/json" id="figures">{values}</script>',
            f"<script>{library}</script>\n<script>\n{script}</script>\n</body>\n</html>\n",
        ]
    )
