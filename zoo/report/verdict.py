"""The verdict: does anything beat repeating the last value by more than chance?"""

import statistics

from zoo.report.board import MIN_SEEDS, ROUNDING, Board, Line
from zoo.report.evidence import SIGNIFICANT
from zoo.report.front import front_sentence
from zoo.report.gain import tuning_verdict
from zoo.report.tables import p_value


def verdict(board: Board) -> list[str]:
    """Sentences computed from a board's skills, their intervals and tests; or from their spreads over seeds alone.

    A line beats naive when equal accuracy is rejected (p below 0.05 after Holm's correction over the board), the
    interval of its skill lies above zero, and its mean skill exceeds rounding (0.01 %). Where no predictions are
    stored, the mean skill must exceed its spread over seeds instead: see `_by_spread`.
    """
    judged = [line for line in board.lines if line.metric("skill") is not None and not line.is_naive]
    if not judged:
        if any(line.rows and not line.is_naive for line in board.lines):
            return ["Naive makes no error here: there is no skill to speak of.", *_failures(board)]
        return ["No variant other than naive ended with a result: there is nothing to compare.", *_failures(board)]
    tested = [line for line in judged if line.p_naive is not None]
    sentences = _by_test(board, judged, tested) if tested else _by_spread(board, judged)
    if board.untested:
        sentences.append(f"Whether that holds over other test periods was not tested: {board.untested}.")
    return sentences + front_sentence(board) + tuning_verdict(board) + _failures(board)


def beats_naive(line: Line) -> bool:
    """Whether a tested line is better than repeating the last value, by more than chance and rounding."""
    is_above = line.interval is None or line.interval[0] > 0
    return line.p_naive is not None and line.p_naive < SIGNIFICANT and is_above and _gain(line) > ROUNDING


def _by_test(board: Board, judged: list[Line], tested: list[Line]) -> list[str]:
    winners = [line for line in tested if beats_naive(line)]
    how = f"Diebold-Mariano, p < {SIGNIFICANT} after Holm's correction over {len(tested)}"
    if winners:
        first, *rest = winners
        names = f"{first.label} ({_percent(first)}{_between(first)})"
        names += "".join(f", {line.label} ({_percent(line)})" for line in rest)
        sentences = [f"{len(winners)} of {len(tested)} beat naive ({how}): {names}."]
        if not all(line.is_baseline for line in judged):
            sentences += _recurrence(winners)
    else:
        best = f"{tested[0].label}, has a skill of {_percent(tested[0])}{_between(tested[0])}"
        which = "No variant" if len(tested) == len(judged) else "No tested variant"
        sentences = [f"{which} beats naive (repeating the last value; {how}): the best, {best}."]
    sentences += _against_the_best(tested)
    untested = [line.label for line in judged if line.p_naive is None]
    if untested:
        sentences.append(f"Not tested, for want of usable predictions: {', '.join(untested)}.")
    if 0 < board.seeds < MIN_SEEDS:
        seeds = f"With {board.seeds} seed{'s' * (board.seeds != 1)}"
        sentences.append(f"{seeds} the spread over seeds is unknown: take at least {MIN_SEEDS}.")
    return sentences


def _against_the_best(tested: list[Line]) -> list[str]:
    best, *others = tested
    rivals = [line for line in others if line.p_best is not None]
    if not rivals:
        return []
    names = {line.label: line.label.replace(", tuned", " (tuned)") for line in rivals}  # commas part names
    worse = [names[line.label] for line in rivals if line.p_best is not None and line.p_best < SIGNIFICANT]
    alike = [name for name in names.values() if name not in worse]
    if not worse:
        return [
            f"Nothing is significantly worse than {best.label}, the best of {len(tested)}: their order may be chance."
        ]
    if not alike:
        aside = "" if beats_naive(best) else " but naive"
        return [f"{best.label} is significantly better than all others{aside}."]
    rest = f"{len(alike)} others cannot be told from it" if len(alike) > 1 else f"{alike[0]} cannot be told from it"
    return [f"{best.label} is significantly better than {', '.join(worse)}; {rest}."]


def _between(line: Line) -> str:
    if line.interval is None:
        return ""
    low, high = (round(100 * end, 2) + 0.0 for end in line.interval)
    return f", 95 % interval {low:+.2f} to {high:+.2f}"


def _by_spread(board: Board, judged: list[Line]) -> list[str]:
    """A line beats naive when its mean skill exceeds its spread over seeds (and rounding); a line without seeds is
    measured by the median spread on the board. With fewer than three seeds there is no spread to speak of, and the
    sentences say so.
    """
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
    return sentences


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
    told = ""
    if simple.p_best is not None and best.p_best is None:  # it is the board's best that was tested against
        apart = "are told apart" if simple.p_best < SIGNIFICANT else "cannot be told apart"
        told = f", and the two {apart} (p {p_value(simple.p_best)})"
    return [f"The best of them is recurrent; the best baseline, {simple.label}, has {_percent(simple)}{told}."]


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
