"""The leaderboard: variants over several problems, by their error ratios to naive."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zoo.report.board import ROUNDING, SIGNIFICANT, Board, counted
from zoo.report.chart import Chart
from zoo.report.markdown import section_markdown
from zoo.report.pictures import ranks
from zoo.report.section import Captioned, Picture, Section
from zoo.report.tables import p_value
from zoo.report.text_table import TextTable, escaped, table_of
from zoo.stats.ranks import FEWEST, Ranking, ranking

RESAMPLES = 10_000
WHOLE = 0.8  # of all variants: a problem with fewer would rank others than the rest does
LEGEND = (
    "error ratio: rmse / naive's rmse, the geometric mean over problems; below 1 is better than repeating the last "
    "value. 95 % interval: of this ratio, by a bootstrap over problems. wins: how often the variant has the lower rmse, "
    "over all other variants and problems; a tie counts half. best on, beats naive on: on how many problems it has the "
    "lowest rmse, and an rmse below naive's, whether or not by chance. All with the settings of their suite, untuned; "
    "rmse is the mean over seeds."
)


@dataclass(frozen=True)
class Standing:
    """One variant over the problems that it ended on; low and high are None with fewer than five."""

    variant: str
    is_baseline: bool
    problems: int
    ratio: float
    low: float | None
    high: float | None
    win_rate: float
    best_on: int
    ahead_of_naive_on: int


@dataclass(frozen=True)
class Leaderboard:
    """standings: lowest error ratio first, those that miss a problem last; ranks: None where refused says why.

    boards: those that count; partial: those left out, on which too few of the variants ran.
    """

    boards: tuple[Board, ...]
    partial: tuple[Board, ...]
    standings: tuple[Standing, ...]
    ranks: Ranking | None
    refused: str


def leaderboard(boards: Sequence[Board]) -> Leaderboard:
    """Compare the variants of boards, each board being a problem.

    Only default lines count, where a variant has exactly one. A board on which fewer than four in five of all
    variants ended is left out. Raises ValueError where no board has three variants.

    Source: Fleming and Wallace, How not to lie with statistics: the correct way to summarize
    benchmark results, Communications of the ACM 29 (1986); Shchur et al., fev-bench: a realistic benchmark for time
    series forecasting (2025).
    """
    places = {_place(board): board for board in reversed(boards)}  # of several devices the first
    ordered = [places[place] for place in sorted(places)]  # whatever order the folders came in
    table = pd.DataFrame([_ratios(board) for board in ordered])
    if table.shape[1] < 3:
        raise ValueError("fewer than three variants have results where naive errs")
    is_whole = table.notna().sum(axis=1) >= WHOLE * table.shape[1]
    if not is_whole.any():
        raise ValueError("no problem has results of four in five of the variants")
    ratios = table[is_whole].dropna(axis="columns", how="all")
    baselines = {line.variant for board in boards for line in board.lines if line.is_baseline}
    random = np.random.default_rng(0)
    standings = [_standing(name, name in baselines, ratios, random) for name in ratios]
    standings.sort(key=lambda standing: (-standing.problems, standing.ratio, standing.variant))
    everywhere = [standing.variant for standing in standings if standing.problems == len(ratios)]
    ranked, refused = None, ""
    try:
        ranked = ranking(everywhere, ratios[everywhere].to_numpy())
    except ValueError as error:
        refused = f"No ranks: {error}."
    whole, partial = (tuple(ordered[place] for place in np.flatnonzero(mask)) for mask in (is_whole, ~is_whole))
    return Leaderboard(whole, partial, tuple(standings), ranked, refused)


def _place(board: Board) -> tuple[Any, ...]:
    """A problem, whatever the device."""
    *shared, _, lookback = board.key
    return (board.source, lookback, *shared)


def _ratios(board: Board) -> dict[str, float]:
    """rmse / naive's rmse of each variant that has one default line here."""
    lines = [line for line in board.lines if not line.is_tuned and line.skill is not None]
    names = [line.variant for line in lines]
    ratios = {line.variant: 1 - line.skill.mean for line in lines if line.skill and names.count(line.variant) == 1}
    return {name: ratio for name, ratio in ratios.items() if ratio > 0}


def _standing(name: str, is_baseline: bool, ratios: pd.DataFrame, random: np.random.Generator) -> Standing:
    own = ratios[name].dropna()
    logs = np.log(own.to_numpy())
    low, high = None, None
    if len(own) >= FEWEST:
        drawn = random.integers(0, len(own), size=(RESAMPLES, len(own)))
        low, high = (float(end) for end in np.exp(np.percentile(logs[drawn].mean(axis=1), [2.5, 97.5])))
    points = _points(own, ratios.loc[own.index].drop(columns=name))
    against_naive = _points(own, pd.DataFrame({"naive": 1.0}, index=own.index))
    return Standing(
        variant=name,
        is_baseline=is_baseline,
        problems=len(own),
        ratio=math.exp(float(logs.mean())),
        low=low,
        high=high,
        win_rate=float(np.nanmean(points)),
        best_on=int((points.fillna(1.0) > 0).all(axis=1).sum()),
        ahead_of_naive_on=int((against_naive["naive"] == 1).sum()),
    )


def _points(own: pd.Series, others: pd.DataFrame) -> pd.DataFrame:
    """1 where own is lower, 0.5 for a tie, else 0; NaN where there is no other."""
    gap = others.sub(own, axis="index")
    is_tie = gap.abs() <= ROUNDING * others.clip(lower=own, axis="index")
    return (gap > 0).astype(float).mask(is_tie, 0.5).where(others.notna())


def leaderboard_section(leaderboard: Leaderboard, picture: Picture | None = None) -> Section:
    """The leaderboard: its answer, its table, and the ranks as the picture or else as a chart."""
    blocks: list[Captioned | Chart | Picture] = [Captioned("", _table(leaderboard), LEGEND)]
    if leaderboard.ranks is not None:
        blocks.append(picture or ranks(leaderboard.ranks))
    return Section("Over all problems", sentences(leaderboard), blocks)


def leaderboard_markdown(leaderboard: Leaderboard, links: Mapping[str, str], picture: str) -> str:
    """The leaderboard as Markdown; links: for each suite, the report that it links to; picture: of the ranks."""
    note = ranks(leaderboard.ranks).note if leaderboard.ranks is not None else ""
    section = leaderboard_section(leaderboard, Picture(picture, "mean ranks of the variants", note))
    parts = ["# Leaderboard", section_markdown(section), "## Problems", _links(leaderboard.boards, links)]
    if leaderboard.partial:
        parts += ["Left out, because too few of the variants ran on them:", _links(leaderboard.partial, links)]
    return "\n\n".join(parts) + "\n"


def sentences(leaderboard: Leaderboard) -> list[str]:
    """What the leaderboard says, the answer first."""
    best, problems = leaderboard.standings[0], counted(len(leaderboard.boards), "problem")
    other = next((s for s in leaderboard.standings if s.is_baseline != best.is_baseline), None)
    kind, other_kind = ("a baseline", "recurrent model") if best.is_baseline else ("a recurrent model", "baseline")
    first = f"Over {problems}, {best.variant}, {kind}, has the lowest error on average: {best.ratio:.4f} of naive's"
    lines = [f"{first}; the best {other_kind}, {other.variant}, has {other.ratio:.4f}." if other else f"{first}."]
    others = [standing for standing in leaderboard.standings if standing.variant != "naive"]
    below_naive = sum(standing.ratio < 1 for standing in others)
    lines.append(f"{below_naive} of {len(others)} variants have a lower error than naive.")
    if leaderboard.ranks is None:
        return [*lines, leaderboard.refused]
    names, differing = leaderboard.ranks.names, leaderboard.ranks.differing
    friedman = f"Friedman p {p_value(leaderboard.ranks.friedman_p)}"
    if differing is None:
        whole = "differ by more than chance" if leaderboard.ranks.friedman_p < SIGNIFICANT else "may be chance"
        few = f"{problems} are too few to separate single pairs of {len(names)} variants"
        return [*lines, f"The ranks as a whole {whole} ({friedman}); {few}."]
    tests = f"{friedman}, Wilcoxon with Holm's correction"
    if not differing:
        return [*lines, f"No two variants differ in rank by more than chance ({tests})."]
    pairs = ", ".join(f"{better} before {worse}" for better, worse in differing)
    return [*lines, f"Differences in rank beyond chance ({tests}): {pairs}."]


def _table(leaderboard: Leaderboard) -> TextTable:
    """A line for each variant, lowest error ratio first."""
    ranking = leaderboard.ranks
    rank_of = dict(zip(ranking.names, ranking.ranks, strict=True)) if ranking is not None else {}
    lines = []
    for standing in leaderboard.standings:
        rank = f"{rank_of[standing.variant]:.2f}" if standing.variant in rank_of else "-"
        lines.append(
            {
                "variant": standing.variant,
                "error ratio": f"{standing.ratio:.4f}",
                "95 % interval": "-" if standing.low is None else f"{standing.low:.4f} to {standing.high:.4f}",
                "wins": f"{100 * standing.win_rate:.0f} %",
                **({"mean rank": rank} if ranking is not None else {}),
                "best on": str(standing.best_on),
                "beats naive on": str(standing.ahead_of_naive_on),
                "problems": str(standing.problems),
            }
        )
    return table_of(lines, [standing.is_baseline for standing in leaderboard.standings])


def _links(boards: Sequence[Board], links: Mapping[str, str]) -> str:
    lines = []
    for board in boards:
        text, suite = escaped(f"{board.title}, normalise: {board.first['normalise']}"), board.first["suite"]
        lines.append(f"- {text}" + (f": [{escaped(suite)}]({links[suite]})" if suite in links else ""))
    return "\n".join(lines)
