"""The leaderboard: variants over several problems, by their error ratios to naive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zoo.family import family
from zoo.report.board import ROUNDING, SIGNIFICANT, Board, counted
from zoo.report.chart import Chart
from zoo.report.markdown import section_markdown
from zoo.report.pictures import ranks
from zoo.report.section import Captioned, Picture, Section
from zoo.report.tables import p_value, skill_percent
from zoo.report.text_table import TextTable, escaped, table_of
from zoo.report.verdict import answer, beats_naive
from zoo.stats.ranks import FEWEST, Ranking, ranking
from zoo.stats.timings import Ratio

RANKS = "critical-difference.png"
RESAMPLES = 10_000
WHOLE = 0.8  # a problem has results of so many of the variants that are ranked, a variant of so many of the problems
LEGEND = (
    "error ratio: error / naive's error, the geometric mean over problems; below 1 is better than naive. error: "
    "{error}, the mean over seeds. 95 % interval: of this ratio, by a bootstrap over problems. wins: how often the "
    "variant has the lower error, over all other variants and problems; a tie counts half. best on: problems on which "
    "it has the lowest error. beats naive on: problems whose own report says that it does, by more than chance. "
    "parameters: of the median problem. train s: seconds of training one model on each problem, in all, and windows/s: "
    "training windows a second on {timed}; other runs may have shared the machine. All with the settings of their "
    "suite, untuned."
)
PROBLEMS_LEGEND = (
    "The percentages are skill: how much lower the error is than naive's. use one?: the answer of the problem's own "
    "report, which tests whether a recurrent model is better than naive and than the baselines by more than chance."
)


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """standings: a row for each variant, lowest error ratio first, those that miss a problem last.

    Its columns: variant, family, is_baseline, problems (on which it ended), ratio, low and high (NaN with fewer than
    five problems), win_rate, best_on, beats_naive_on, seconds, parameters and windows_per_second (NaN where unknown).
    boards: those that count; timed: the one whose windows_per_second these are; partial: those left out, on which too
    few of the variants ran; unranked: the variants that ran on too few of the problems. lead: the error of the best
    recurrent model over that of the best baseline; None with fewer than five problems in common. ranks: None where
    refused says why.
    """

    boards: list[Board]
    timed: Board
    partial: list[Board]
    unranked: list[str]
    standings: pd.DataFrame
    lead: Ratio | None
    ranks: Ranking | None
    refused: str


def leaderboard(boards: Sequence[Board]) -> Leaderboard:
    """Compare the variants of boards, each board being a problem.

    Only default lines count, where a variant has exactly one. Not every variant need have run on every board: see
    `fair_block`. Raises ValueError where no board has three variants.

    Source: Fleming and Wallace, How not to lie with statistics: the correct way to summarize
    benchmark results, Communications of the ACM 29 (1986); Shchur et al., fev-bench: a realistic benchmark for time
    series forecasting (2025).
    """
    places = {_place(board): board for board in reversed(boards)}  # of several devices the first
    ordered = [places[place] for place in sorted(places)]  # whatever order the folders came in
    table = pd.DataFrame([_ratios(board) for board in ordered])
    if table.shape[1] < 3:
        raise ValueError("fewer than three variants have results where naive errs")
    is_whole, names = fair_block(table.notna())
    ratios = table.loc[is_whole, names]
    unranked = [name for name in table.columns if name not in names]
    families = {line.variant: family(line.first["tags"]) for board in boards for line in board.lines}
    random = np.random.default_rng(0)
    standings = pd.DataFrame([{"variant": name, **_standing(name, ratios, random)} for name in ratios])
    standings.insert(1, "family", standings["variant"].map(families))
    standings.insert(2, "is_baseline", standings["family"] == "baseline")
    counting, partial = ([ordered[place] for place in np.flatnonzero(mask)] for mask in (is_whole, ~is_whole))
    winners = [name for board in counting for name, line in board.default_lines.items() if beats_naive(board, line)]
    standings["beats_naive_on"] = [winners.count(name) for name in standings["variant"]]
    timed = max(counting, key=lambda board: len(board.default_lines.keys() & set(names)))
    costs = pd.DataFrame([_cost(name, counting, timed) for name in standings["variant"]], index=standings.index)
    standings = pd.concat([standings, costs], axis="columns")
    standings = standings.sort_values(["problems", "ratio", "variant"], ascending=[False, True, True])
    everywhere = standings.query("problems == @ratios.shape[0]")["variant"]
    ranks, refused = None, ""
    try:
        ranks = ranking(list(everywhere), ratios[everywhere].to_numpy())
    except ValueError as error:
        refused = f"No ranks: {error}."
    lead = _lead(standings, ratios, random)
    return Leaderboard(counting, timed, partial, unranked, standings, lead, ranks, refused)


def fair_block(is_there: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """The problems (a mask) and the variants between which a comparison is fair, of a table that has gaps.

    Each of these variants ended on four in five of the problems, and on each of these problems four in five of the
    variants. Of several such choices the one with five problems, as intervals and ranks need, then the one with most
    results, then the one with most variants.
    """
    choices = []
    for name in is_there.columns:
        names = is_there.columns[is_there[is_there[name]].mean() >= WHOLE]
        mask = is_there[names].mean(axis=1) >= WHOLE
        names = names[is_there.loc[mask, names].mean() >= WHOLE]
        results = is_there.loc[mask, names].to_numpy().sum()
        choices.append((mask.sum() >= FEWEST, results, len(names), mask.to_numpy(), names))
    *_, best, chosen = max(choices, key=lambda choice: choice[:3])
    return best, list(chosen)


def _place(board: Board) -> tuple[Any, ...]:
    """A problem, whatever the device."""
    *shared, _, lookback = board.key
    return (board.source, lookback, *shared)


def _ratios(board: Board) -> dict[str, float]:
    """error / naive's error of each variant; of classes no error at all counts as half a wrong case."""
    ratios = {name: 1 - line.skill.mean for name, line in board.default_lines.items() if line.skill}
    naive = next((line.spread(board.task.error) for line in board.lines if line.is_naive), None)
    if board.classes and naive is not None and naive.mean > 0:
        least = 0.5 / (naive.mean * board.first["split"][2])
        return {name: max(ratio, least) for name, ratio in ratios.items()}
    return {name: ratio for name, ratio in ratios.items() if ratio > 0}


def _cost(name: str, boards: Sequence[Board], timed: Board) -> dict[str, float]:
    """seconds: of training one model on each problem, in all; parameters: of the median problem; windows_per_second:
    in training on `timed`."""
    lines = [line for board in boards if (line := board.default_lines.get(name)) is not None]
    spreads = {column: [line.spread(column) for line in lines] for column in ("train_seconds", "parameter_count")}
    seconds, parameters = ([each.mean for each in values if each is not None] for values in spreads.values())
    own = timed.default_lines.get(name)
    speed = own.spread("windows_per_second") if own is not None else None
    return {
        "seconds": sum(seconds) if len(seconds) == len(lines) else np.nan,
        "parameters": float(np.median(parameters)) if parameters else np.nan,
        "windows_per_second": speed.mean if speed is not None else np.nan,
    }


def _lead(standings: pd.DataFrame, ratios: pd.DataFrame, random: np.random.Generator) -> Ratio | None:
    """The error of the best recurrent model over that of the best baseline, on the problems that both ended on, with a
    95 % interval by a bootstrap over these problems."""
    best = [standings.loc[standings["is_baseline"] == flag, "variant"].head(1) for flag in (False, True)]
    pair = ratios[[name for names in best for name in names]].dropna()
    if pair.shape[1] < 2 or len(pair) < FEWEST:
        return None
    return _mean_ratio(pair.iloc[:, 0] / pair.iloc[:, 1], random)


def _mean_ratio(ratios: pd.Series, random: np.random.Generator) -> Ratio:
    """The geometric mean over problems, with a 95 % interval by a bootstrap over them; none with too few."""
    logs = np.log(ratios.to_numpy())
    low, high = None, None
    if len(logs) >= FEWEST:
        drawn = random.integers(0, len(logs), size=(RESAMPLES, len(logs)))
        low, high = map(float, np.exp(np.percentile(logs[drawn].mean(axis=1), [2.5, 97.5])))
    return Ratio(float(np.exp(logs.mean())), low, high)


def _standing(name: str, ratios: pd.DataFrame, random: np.random.Generator) -> dict[str, float]:
    own = ratios[name].dropna()
    mean = _mean_ratio(own, random)
    points = _points(own, ratios.loc[own.index].drop(columns=name))
    return {
        "problems": len(own),
        "ratio": mean.value,
        "low": np.nan if mean.low is None else mean.low,
        "high": np.nan if mean.high is None else mean.high,
        "win_rate": np.nanmean(points),
        "best_on": (points.fillna(1.0) > 0).all(axis=1).sum(),
    }


def _points(own: pd.Series, others: pd.DataFrame) -> pd.DataFrame:
    """1 where own is lower, 0.5 for a tie, else 0; NaN where there is no other."""
    gap = others.sub(own, axis="index")
    is_tie = gap.abs() <= ROUNDING * others.clip(lower=own, axis="index")
    return (gap > 0).astype(float).mask(is_tie, 0.5).where(others.notna())


def leaderboard_section(leaderboard: Leaderboard) -> Section:
    """The leaderboard: its answer, its table, and the ranks as a PNG and as a chart."""
    errors = " or ".join(dict.fromkeys(board.task.error.replace("_", " ") for board in leaderboard.boards))
    blocks: list[Captioned | Chart | Picture] = [
        Captioned("", _table(leaderboard), LEGEND.format(timed=leaderboard.timed.title, error=errors))
    ]
    if leaderboard.ranks is not None:
        chart = ranks(leaderboard.ranks)
        blocks += [Picture(RANKS, "mean ranks of the variants", chart.note), chart]
    blocks.append(Captioned("Problem by problem", problems_table(leaderboard.boards), PROBLEMS_LEGEND))
    return Section("Over all problems", sentences(leaderboard), blocks)


def problems_table(boards: Sequence[Board]) -> TextTable:
    """For each problem the best recurrent model, the best baseline, and whether to use the first."""
    lines = []
    for board in boards:
        scored = [line for line in board.lines if line.skill is not None and not line.is_tuned]
        best = [
            next((line for line in scored if line.is_baseline == is_baseline), None) for is_baseline in (False, True)
        ]
        recurrent, baseline = (f"{line.variant} {skill_percent(line)}" if line else "-" for line in best)
        lines.append(
            {
                "problem": board.title,
                "best recurrent": recurrent,
                "best baseline": baseline,
                "use one?": answer(board).partition(".")[0].partition(":")[0],
            }
        )
    return table_of(lines)


def leaderboard_markdown(leaderboard: Leaderboard, links: Mapping[str, str]) -> str:
    """The leaderboard as Markdown; links: for each suite, the report that it links to."""
    section = section_markdown(leaderboard_section(leaderboard))
    parts = ["# Leaderboard", section, "## Problems", _links(leaderboard.boards, links)]
    if leaderboard.partial:
        parts += ["Left out, because too few of the variants ran on them:", _links(leaderboard.partial, links)]
    return "\n\n".join(parts) + "\n"


def sentences(leaderboard: Leaderboard) -> list[str]:
    """What the leaderboard says, the answer first."""
    standings, problems = leaderboard.standings, counted(len(leaderboard.boards), "problem")
    (_, best), *_ = standings.iterrows()
    kind, other_kind = ("a baseline", "recurrent model") if best["is_baseline"] else ("a recurrent model", "baseline")
    first = (
        f"Over {problems}, {best['variant']}, {kind}, has the lowest error on average: {best['ratio']:.4f} of naive's"
    )
    for _, other in standings[standings["is_baseline"] != best["is_baseline"]].head(1).iterrows():
        first += f"; the best {other_kind}, {other['variant']}, has {other['ratio']:.4f}"
    ratios = standings.query("variant != 'naive'")["ratio"]
    lines = [
        f"{first}.",
        *_lead_sentence(leaderboard.lead),
        f"{(ratios < 1).sum()} of {len(ratios)} variants have a lower error than naive.",
    ]
    if unranked := leaderboard.unranked:
        lines.append(f"Not ranked, because they ran on too few of the problems: {', '.join(unranked)}.")
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


def _lead_sentence(lead: Ratio | None) -> list[str]:
    if lead is None or lead.low is None or lead.high is None:
        return []
    claim = "not clearly different"
    if not lead.low <= 1 <= lead.high:
        claim = f"{'lower' if lead.value < 1 else 'higher'} by more than chance"
    return [
        f"The error of the best recurrent model is {lead.value:.3f} of the best baseline's (95 % interval over "
        f"problems {lead.low:.3f} to {lead.high:.3f}): {claim}."
    ]


def _table(leaderboard: Leaderboard) -> TextTable:
    """A line for each variant, lowest error ratio first."""
    ranking = leaderboard.ranks
    rank_of = dict(zip(ranking.names, ranking.ranks, strict=True)) if ranking is not None else {}
    lines = []
    for line in leaderboard.standings.itertuples():
        rank = f"{rank_of[line.variant]:.2f}" if line.variant in rank_of else "-"
        lines.append(
            {
                "variant": line.variant,
                "family": line.family,
                "error ratio": f"{line.ratio:.4f}",
                "95 % interval": "-" if np.isnan(line.low) else f"{line.low:.4f} to {line.high:.4f}",
                "wins": f"{100 * line.win_rate:.0f} %",
                **({"mean rank": rank} if ranking is not None else {}),
                "best on": str(line.best_on),
                "beats naive on": str(line.beats_naive_on),
                "problems": str(line.problems),
                "parameters": "-" if np.isnan(line.parameters) else f"{line.parameters:,.0f}",
                "train s": "-" if np.isnan(line.seconds) else f"{line.seconds:,.0f}" if line.seconds >= 1 else "< 1",
                "windows/s": "-" if np.isnan(line.windows_per_second) else f"{line.windows_per_second:,.0f}",
            }
        )
    return table_of(lines, leaderboard.standings["is_baseline"])


def _links(boards: Sequence[Board], links: Mapping[str, str]) -> str:
    lines = []
    for board in boards:
        text, suite = escaped(f"{board.title}, normalise: {board.first['normalise']}"), board.first["suite"]
        lines.append(f"- {text}" + (f": [{escaped(suite)}]({links[suite]})" if suite in links else ""))
    return "\n".join(lines)
