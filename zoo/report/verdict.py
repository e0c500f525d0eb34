"""The verdict: does anything beat repeating the last value by more than the noise of its seeds?"""

import statistics

from zoo.report.board import MIN_SEEDS, ROUNDING, Board, Line
from zoo.report.gain import tuning_verdict


def verdict(board: Board) -> list[str]:
    """Sentences computed from a board's skills and their spreads over seeds.

    A line beats naive when its mean skill exceeds its spread over seeds (and rounding: 0.01 %); a line
    without seeds is measured by the median spread on the board. With fewer than three seeds there is no
    spread to speak of, and the sentences say so.
    """
    judged = [line for line in board.lines if line.metric("skill") is not None and not _is_naive(line)]
    if not judged:
        return ["No variant other than naive ended with a result: there is nothing to compare.", *_failures(board)]
    spreads = [s.deviation for line in judged if (s := line.metric("skill")) and s.deviation is not None]
    is_known = board.seeds >= MIN_SEEDS
    usual = statistics.median(spreads) if is_known and spreads else 0.0
    winners = [line for line in judged if _gain(line) > max(ROUNDING, _noise(line, usual) if is_known else 0.0)]
    by_how_much = " by more than the spread over seeds" if is_known else ""
    if winners:
        names = ", ".join(f"{line.label} ({_percent(line)})" for line in winners)
        verb = "beat naive" if is_known else "end ahead of naive"
        sentences = [f"{len(winners)} of {len(judged)} {verb}{by_how_much}: {names}."]
        if not all(line.is_baseline for line in judged):
            sentences += _recurrence(winners)
    else:
        verb = "beats naive" if is_known else "ends ahead of naive"
        best = f"{judged[0].label}, has a skill of {_percent(judged[0])}"
        sentences = [f"No variant {verb} (repeating the last value){by_how_much}: the best, {best}."]
    if not is_known:
        if board.seeds == 0:
            sentences.append("Nothing here learns at random, so there is no spread over seeds to compare with.")
        else:
            seeds = f"With {board.seeds} seed{'s' * (board.seeds != 1)}"
            sentences.append(f"{seeds} the spread is unknown: take at least {MIN_SEEDS} before believing an order.")
    return sentences + tuning_verdict(board) + _failures(board)


def _failures(board: Board) -> list[str]:
    failed = sum(len(line.failed) for line in board.lines)
    if failed == 0:
        return []
    return [f"{failed} cells failed and are not counted." if failed > 1 else "1 cell failed and is not counted."]


def _recurrence(winners: list[Line]) -> list[str]:
    best = winners[0]
    if best.is_baseline:
        return [f"The best of them, {best.label}, is not recurrent."]
    simple = next((line for line in winners if line.is_baseline), None)
    if simple is None:
        return []
    return [f"The best of them is recurrent; the best baseline, {simple.label}, has {_percent(simple)}."]


def _is_naive(line: Line) -> bool:
    return all(row["variant"] == "naive" for row in (*line.rows, *line.failed))


def _gain(line: Line) -> float:
    skill = line.metric("skill")
    assert skill is not None
    return skill.mean


def _noise(line: Line, usual: float) -> float:
    skill = line.metric("skill")
    assert skill is not None
    return skill.deviation if skill.deviation is not None else usual


def _percent(line: Line) -> str:
    skill = line.metric("skill")
    assert skill is not None
    spread = f" ± {100 * skill.deviation:.2f}" if skill.deviation is not None else ""
    return f"{100 * skill.mean:+.2f}{spread} %"
