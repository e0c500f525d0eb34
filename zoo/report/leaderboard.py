"""The leaderboard: variants over several data sets, by their error ratios to naive."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError
from zoo.report.board import ROUNDING, Board, Line, boards
from zoo.report.evidence import SIGNIFICANT
from zoo.report.results import read_results
from zoo.report.tables import p_value
from zoo.report.text_table import Text, TextTable, escaped, markdown_table
from zoo.run.store import read_rows
from zoo.stats.ranks import FEWEST, Ranking, ranking

RESAMPLES = 10_000
WHOLE = 0.8  # of all variants: a data set with fewer would rank others than the rest does
LEGEND = (
    "error ratio: the geometric mean over the problems of rmse / naive's rmse, below 1 is better than repeating the "
    "last value, with the 95 % interval of a bootstrap over problems; wins: how often the variant's rmse is below "
    "that of another variant on the same problem, over all pairs, ties counted half; best on, beats naive on: how "
    "many problems it has the lowest rmse on, and an rmse below naive's, whether or not by chance. All with the "
    "settings that their suite gives, untuned; rmse is the mean over seeds."
)


@dataclass(frozen=True)
class Standing:
    """One variant over the data sets that it ended on; low and high are None with fewer than five."""

    variant: str
    is_baseline: bool
    data_sets: int
    ratio: float
    low: float | None
    high: float | None
    win_rate: float
    best_on: int
    ahead_of_naive_on: int


@dataclass(frozen=True)
class Leaderboard:
    """standings: lowest error ratio first, those that miss a data set last; ranks: None where refused says why.

    boards: those that count; partial: those left out, on which too few of the variants ran.
    """

    boards: tuple[Board, ...]
    partial: tuple[Board, ...]
    standings: tuple[Standing, ...]
    ranks: Ranking | None
    refused: str


def leaderboard(found: Sequence[Board], *, seed: int = 0) -> Leaderboard:
    """Compare the variants of boards, each board being a data set and what is forecast of it.

    Only default lines count, where a variant has exactly one. A board on which fewer than four in five of all
    variants ended is left out. Raises ValueError where no board has three variants.

    Source of ratio and win rate: Fleming and Wallace, How not to lie with statistics: the correct way to summarize
    benchmark results, Communications of the ACM 29 (1986); Shchur et al., fev-bench: a realistic benchmark for time
    series forecasting (2025).
    """
    alone = {_place(board): board for board in reversed(found)}  # of several devices the first
    everything = [(alone[place], _ratios(alone[place])) for place in sorted(alone)]  # whatever order folders came in
    baselines = {line.variant: line.is_baseline for board in found for line in board.lines}
    names = list(dict.fromkeys(name for _, ratios in everything for name in ratios))
    if len(names) < 3:
        raise ValueError("fewer than three variants have results where naive errs")
    kept = [(board, ratios) for board, ratios in everything if len(ratios) >= WHOLE * len(names)]
    partial = tuple(board for board, ratios in everything if len(ratios) < WHOLE * len(names))
    if not kept:
        raise ValueError("no data set has four in five of the variants")
    tables = [ratios for _, ratios in kept]
    names = [name for name in names if any(name in ratios for ratios in tables)]
    random = np.random.default_rng(seed)
    standings = [_standing(name, baselines[name], tables, random) for name in names]
    standings.sort(key=lambda standing: (-standing.data_sets, standing.ratio, standing.variant))
    everywhere = [standing.variant for standing in standings if standing.data_sets == len(tables)]
    ranks, refused = None, ""
    try:
        ranks = ranking(everywhere, np.array([[ratios[name] for name in everywhere] for ratios in tables]))
    except ValueError as error:
        refused = f"No ranks: {error}."
    return Leaderboard(tuple(board for board, _ in kept), partial, tuple(standings), ranks, refused)


def _place(board: Board) -> tuple[str, ...]:
    return (
        str(board.data["source"]),
        *(json.dumps(thing, sort_keys=True) for thing in (board.problem, board.data["fingerprint"])),
    )


def _ratios(board: Board) -> dict[str, float]:
    """rmse / naive's rmse of each variant that has one default line here."""
    lines: dict[str, list[Line]] = {}
    for line in board.lines:
        if line.tuning is None and line.metric("skill") is not None:
            lines.setdefault(line.variant, []).append(line)
    return {
        name: 1 - skill.mean
        for name, group in lines.items()
        if len(group) == 1 and (skill := group[0].metric("skill")) is not None and skill.mean < 1
    }


def _standing(
    name: str, is_baseline: bool, tables: Sequence[dict[str, float]], random: np.random.Generator
) -> Standing:
    own = [ratios for ratios in tables if name in ratios]
    logs = np.log([ratios[name] for ratios in own])
    low, high = None, None
    if len(own) >= FEWEST:
        drawn = random.integers(0, len(own), size=(RESAMPLES, len(own)))
        low, high = (float(end) for end in np.exp(np.percentile(logs[drawn].mean(axis=1), [2.5, 97.5])))
    points = [_point(ratios[name], ratios[other]) for ratios in own for other in ratios if other != name]
    return Standing(
        variant=name,
        is_baseline=is_baseline,
        data_sets=len(own),
        ratio=math.exp(float(logs.mean())),
        low=low,
        high=high,
        win_rate=sum(points) / len(points),
        best_on=sum(all(_point(ratios[name], other) > 0 for other in ratios.values()) for ratios in own),
        ahead_of_naive_on=sum(_point(ratios[name], 1.0) == 1 for ratios in own),
    )


def _point(own: float, other: float) -> float:
    """1 where own is lower, 0.5 for a tie, else 0."""
    if abs(own - other) <= ROUNDING * max(own, other):
        return 0.5
    return 1.0 if own < other else 0.0


def leaderboard_table(found: Leaderboard) -> TextTable:
    """A line for each variant, lowest error ratio first."""
    rows, ranks = [], found.ranks
    places = dict(zip(ranks.names, ranks.ranks, strict=True)) if ranks is not None else {}
    for standing in found.standings:
        interval = "-" if standing.low is None else f"{standing.low:.4f} to {standing.high:.4f}"
        texts = [standing.variant, f"{standing.ratio:.4f}", interval, f"{100 * standing.win_rate:.0f} %"]
        if ranks is not None:
            texts.append(f"{places[standing.variant]:.2f}" if standing.variant in places else "-")
        texts += [str(standing.best_on), str(standing.ahead_of_naive_on), str(standing.data_sets)]
        rows.append(tuple(Text(text) for text in texts))
    header = ["variant", "error ratio", "95 % interval", "wins", "best on", "beats naive on", "problems"]
    if ranks is not None:
        header.insert(4, "mean rank")
    return TextTable(tuple(header), tuple(rows), tuple(standing.is_baseline for standing in found.standings))


def leaderboard_markdown(found: Leaderboard, links: dict[str, str], picture: str | None = None) -> str:
    """The leaderboard as Markdown; links: for each suite, the report that it links to; picture: of the ranks."""
    listed = [f"- {_linked(board, links)}" for board in found.boards]
    parts = ["# Leaderboard", *map(escaped, sentences(found)), markdown_table(leaderboard_table(found)), LEGEND]
    if picture is not None and found.ranks is not None:
        parts += [f"![mean ranks of the variants]({picture})", ranks_legend(found.ranks)]
    parts.append("Problems:\n\n" + "\n".join(listed))
    if found.partial:
        left = "\n".join(f"- {_linked(board, links)}" for board in found.partial)
        parts.append(f"Left out, since too few of the variants ran on them:\n\n{left}")
    return "\n\n".join(parts) + "\n"


def leaderboard_of(folder: Path, picture: str | None = None) -> tuple[str, Leaderboard, tuple[str, ...]]:
    """The leaderboard over every run in the folders of `folder` as Markdown, itself, and what was left out.

    picture: the name of the picture of its ranks. Raises InputError where there is nothing to rank.
    """
    places = sorted(path.parent for path in folder.glob("*/rows.jsonl"))
    accurate = {place: rows for place in places if (rows := read_rows(place)[0])}
    if not accurate:
        raise InputError(f"no results of zoo bench in the folders of {folder}")
    results = read_results(list(accurate))
    links: dict[str, str] = {}
    for place, rows in accurate.items():
        for row in rows:
            links.setdefault(str(row["suite"]), f"{place.name}/report.md")
    try:
        found = leaderboard(boards(results.accuracy))
    except ValueError as error:
        raise InputError(f"{folder} has nothing to rank: {error}") from error
    return leaderboard_markdown(found, links, picture), found, results.left_out


def ranks_legend(ranks: Ranking) -> str:
    """What the critical-difference diagram shows."""
    text = f"Mean ranks over {ranks.data_sets} problems, 1 is best; a bar joins variants that no test tells apart"
    return f"{text}: with so few problems that is all of them." if ranks.differing is None else f"{text}."


def sentences(found: Leaderboard) -> list[str]:
    """What the leaderboard says, in words."""
    count = len(found.boards)
    best = found.standings[0]
    problems = f"{count} problem{'s' * (count != 1)}"
    said = [f"{best.variant} has the lowest error ratio to naive over {problems}: {best.ratio:.4f}."]
    below_naive = [standing for standing in found.standings if standing.variant != "naive" and standing.ratio < 1]
    said.append(f"{len(below_naive)} of {len(found.standings) - 1} variants have one below 1.")
    if found.ranks is None:
        return [*said, found.refused]
    ranks = found.ranks
    if ranks.differing is None:
        said.append(
            f"The ranks as a whole {'differ' if ranks.friedman_p < SIGNIFICANT else 'may be chance'} (Friedman p "
            f"{p_value(ranks.friedman_p)}); {count} problems are too few to tell single pairs of {len(ranks.names)} "
            "variants apart."
        )
    elif not ranks.differing:
        said.append(
            f"By ranks no two differ by more than chance (Friedman p {p_value(ranks.friedman_p)}, Wilcoxon with Holm's "
            "correction)."
        )
    else:
        pairs = ", ".join(f"{better} before {worse}" for better, worse in ranks.differing)
        said.append(f"By ranks (Friedman p {p_value(ranks.friedman_p)}, Wilcoxon with Holm's correction): {pairs}.")
    return said


def _linked(board: Board, links: dict[str, str]) -> str:
    suite = str(board.rows[0]["suite"])
    problem = board.problem
    what = f"{', '.join(problem['targets'])} of {board.data['source']}, {problem['horizon']} ahead from"
    text = escaped(f"{what} {problem['lookback']}, normalised: {problem['normalise']}")
    return f"{text}: [{escaped(suite)}]({links[suite]})" if suite in links else text
