"""The leaderboard: variants over several data sets, by their error ratios to naive."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zoo.report.board import ROUNDING, SIGNIFICANT, Board, counted
from zoo.report.tables import p_value
from zoo.report.text_table import Text, TextTable, escaped, markdown_table
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


def leaderboard(boards: Sequence[Board], *, seed: int = 0) -> Leaderboard:
    """Compare the variants of boards, each board being a data set and what is forecast of it.

    Only default lines count, where a variant has exactly one. A board on which fewer than four in five of all
    variants ended is left out. Raises ValueError where no board has three variants.

    Source of ratio and win rate: Fleming and Wallace, How not to lie with statistics: the correct way to summarize
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
    random = np.random.default_rng(seed)
    standings = [_standing(name, name in baselines, ratios, random) for name in ratios]
    standings.sort(key=lambda standing: (-standing.data_sets, standing.ratio, standing.variant))
    everywhere = [standing.variant for standing in standings if standing.data_sets == len(ratios)]
    ranks, refused = None, ""
    try:
        ranks = ranking(everywhere, ratios[everywhere].to_numpy())
    except ValueError as error:
        refused = f"No ranks: {error}."
    whole, partial = (tuple(ordered[place] for place in np.flatnonzero(mask)) for mask in (is_whole, ~is_whole))
    return Leaderboard(whole, partial, tuple(standings), ranks, refused)


def _place(board: Board) -> tuple[Any, ...]:
    names = ("channels", "horizon", "normalise", "scaler", "split", "targets", "data.fingerprint", "data.missing")
    return (board.source, board.lookback, *(board.first[name] for name in names))


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
    return Standing(
        variant=name,
        is_baseline=is_baseline,
        data_sets=len(own),
        ratio=math.exp(float(logs.mean())),
        low=low,
        high=high,
        win_rate=float(np.nanmean(points)),
        best_on=int((points.fillna(1.0) > 0).all(axis=1).sum()),
        ahead_of_naive_on=int((_points(own, pd.DataFrame({"naive": 1.0}, index=own.index)) == 1).sum().iloc[0]),
    )


def _points(own: pd.Series, others: pd.DataFrame) -> pd.DataFrame:
    """1 where own is lower, 0.5 for a tie, else 0; NaN where there is no other."""
    gap = others.sub(own, axis="index")
    is_tie = gap.abs() <= ROUNDING * others.clip(lower=own, axis="index")
    return (gap > 0).astype(float).mask(is_tie, 0.5).where(others.notna())


def leaderboard_table(leaderboard: Leaderboard) -> TextTable:
    """A line for each variant, lowest error ratio first."""
    ranks = leaderboard.ranks
    places = dict(zip(ranks.names, ranks.ranks, strict=True)) if ranks is not None else {}
    rows = []
    for standing in leaderboard.standings:
        interval = "-" if standing.low is None else f"{standing.low:.4f} to {standing.high:.4f}"
        texts = [standing.variant, f"{standing.ratio:.4f}", interval, f"{100 * standing.win_rate:.0f} %"]
        if ranks is not None:
            texts.append(f"{places[standing.variant]:.2f}" if standing.variant in places else "-")
        texts += [str(standing.best_on), str(standing.ahead_of_naive_on), str(standing.data_sets)]
        rows.append(tuple(map(Text, texts)))
    header = ["variant", "error ratio", "95 % interval", "wins", "best on", "beats naive on", "problems"]
    if ranks is not None:
        header.insert(4, "mean rank")
    return TextTable(tuple(header), tuple(rows), tuple(standing.is_baseline for standing in leaderboard.standings))


def leaderboard_markdown(leaderboard: Leaderboard, links: Mapping[str, str], picture: str | None = None) -> str:
    """The leaderboard as Markdown; links: for each suite, the report that it links to; picture: of the ranks."""
    answer, *findings = map(escaped, sentences(leaderboard))
    parts = ["# Leaderboard", f"**{answer}**", markdown_table(leaderboard_table(leaderboard)), LEGEND]
    parts.append("\n".join(f"- {finding}" for finding in findings))
    if picture is not None and leaderboard.ranks is not None:
        parts += [f"![mean ranks of the variants]({picture})", ranks_legend(leaderboard.ranks)]
    parts += ["## Problems", _links(leaderboard.boards, links)]
    if leaderboard.partial:
        parts += ["Left out, because too few of the variants ran on them:", _links(leaderboard.partial, links)]
    return "\n\n".join(parts) + "\n"


def ranks_legend(ranks: Ranking) -> str:
    """What the critical-difference diagram shows."""
    bar = "A bar joins variants that no test separates"
    few = ": with so few problems that is all of them" if ranks.differing is None else ""
    return f"Mean ranks over {counted(ranks.data_sets, 'problem')}, 1 is best. {bar}{few}."


def sentences(leaderboard: Leaderboard) -> list[str]:
    """What the leaderboard says, the answer first."""
    best, problems = leaderboard.standings[0], counted(len(leaderboard.boards), "problem")
    other = next((s for s in leaderboard.standings if s.is_baseline != best.is_baseline), None)
    kind, other_kind = ("a baseline", "recurrent model") if best.is_baseline else ("a recurrent model", "baseline")
    first = f"Over {problems}, {best.variant}, {kind}, has the lowest error on average: {best.ratio:.4f} of naive's"
    lines = [f"{first}; the best {other_kind}, {other.variant}, has {other.ratio:.4f}." if other else f"{first}."]
    below_naive = [standing for standing in leaderboard.standings if standing.variant != "naive" and standing.ratio < 1]
    others = [standing for standing in leaderboard.standings if standing.variant != "naive"]
    lines.append(f"{len(below_naive)} of {len(others)} variants have a lower error than naive.")
    ranks = leaderboard.ranks
    if ranks is None:
        return [*lines, leaderboard.refused]
    friedman = f"Friedman p {p_value(ranks.friedman_p)}"
    if ranks.differing is None:
        whole = "differ by more than chance" if ranks.friedman_p < SIGNIFICANT else "may be chance"
        few = f"{problems} are too few to separate single pairs of {len(ranks.names)} variants"
        return [*lines, f"The ranks as a whole {whole} ({friedman}); {few}."]
    tests = f"{friedman}, Wilcoxon with Holm's correction"
    if not ranks.differing:
        return [*lines, f"No two variants differ in rank by more than chance ({tests})."]
    pairs = ", ".join(f"{better} before {worse}" for better, worse in ranks.differing)
    return [*lines, f"Differences in rank beyond chance ({tests}): {pairs}."]


def _links(boards: Sequence[Board], links: Mapping[str, str]) -> str:
    lines = []
    for board in boards:
        text = escaped(f"{board.title}, normalise: {board.first['normalise']}")
        link = f": [{escaped(board.suite)}]({links[board.suite]})" if board.suite in links else ""
        lines.append(f"- {text}{link}")
    return "\n".join(lines)
