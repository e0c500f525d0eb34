"""The verdict: should one use a recurrent model here, what beats naive by more than chance, and what does not."""

import statistics

from zoo.report.board import MIN_SEEDS, ROUNDING, SIGNIFICANT, Board, Line, counted, trades
from zoo.report.gain import tuning_verdict
from zoo.report.tables import figure, interval_text, p_value


def verdict(board: Board) -> list[str]:
    """The answer to "should I use an LSTM here?", and then what it rests on; sentences computed from the board.

    A line beats naive when equal accuracy is rejected (p below 0.05 after Holm's correction over the board), the
    interval of its skill lies above zero, and its mean skill exceeds rounding (0.01 %). Where no predictions are
    stored, the mean skill must exceed its spread over seeds instead, see `_beats_by_spread`.
    """
    scored = _scored(board)
    sentences = [_answer(board)]
    if scored:
        sentences += _tests(board, scored) if board.is_tested else _spreads(board, scored)
    if scored and board.untested:
        sentences.append(f"Whether this holds over other test periods was not tested: {board.untested}.")
    best_trades = [trade.label for trade in reversed(trades(board)) if trade.is_best]
    if scored and len(best_trades) > 1:
        sentences.append(
            "Best trade-offs (nothing else both trains faster and is more accurate), fastest first: "
            f"{', '.join(best_trades)}."
        )
    return sentences + tuning_verdict(board) + _failures(board)


def beats_naive(line: Line) -> bool:
    """Whether a tested line is better than repeating the last value, by more than chance and rounding."""
    is_above = line.interval is None or line.interval[0] > 0
    return line.p_naive is not None and line.p_naive < SIGNIFICANT and is_above and _gain(line) > ROUNDING


def _scored(board: Board) -> list[Line]:
    return [line for line in board.lines if line.skill is not None and not line.is_naive]


def _winners(board: Board) -> list[Line]:
    if board.is_tested:
        return [line for line in _scored(board) if beats_naive(line)]
    return [line for line in _scored(board) if _beats_by_spread(line, board)]


def _has_evidence(board: Board) -> bool:
    """Whether chance was measured: by tests on stored predictions, or by a spread over seeds."""
    return board.is_tested or board.seeds >= MIN_SEEDS


def _answer(board: Board) -> str:
    """One sentence with its figure, and what to do."""
    recurrent = [line for line in board.lines if not line.is_baseline]
    scored = [line for line in _scored(board) if not line.is_baseline]
    if not recurrent:
        return "No answer: no recurrent model ran here. Add one, such as lstm."
    if not any(len(line.runs) for line in recurrent):
        return f"No answer: every run of {_listed(recurrent)} failed. Fix the errors named below and run it again."
    if not scored:
        return "No. Repeating the last value makes no error here. Keep naive."
    winners = [line for line in _winners(board) if not line.is_baseline]
    if winners and _has_evidence(board):
        return _yes(board, winners[0])
    best = scored[0]
    text = f"The best recurrent model, {best.label}, is {_against_naive(best)}"
    if _gain(best) <= ROUNDING:
        return f"No. {text}. {_instead(board)}"
    if best.p_naive is not None:
        return f"No. {text}, which chance alone can explain. {_instead(board)}"
    if board.is_tested:
        return f"Unclear. {text}, but its predictions are missing, so chance was not ruled out. Run it again."
    if 0 < board.seeds < MIN_SEEDS:
        return f"Unclear. {text}, but {counted(board.seeds, 'seed')} cannot rule out chance. Run at least {MIN_SEEDS}."
    if board.seeds == 0:
        return f"Unclear. {text}, but chance was not ruled out. Keep naive until it is."
    return f"No. {text}, which its spread over seeds can explain. {_instead(board)}"


def _instead(board: Board) -> str:
    """What to do where no recurrent model is worth it."""
    simple = next((line for line in _winners(board) if line.is_baseline), None)
    if simple is None:
        return "Keep naive."
    if board.is_tested:
        return f"Take {simple.label}, which is {_share(simple)} better."
    return f"Try {simple.label}, which is {_share(simple)} better, though no test ruled out chance."


def _yes(board: Board, line: Line) -> str:
    """The answer where a recurrent line beats naive: it should also be better than the baselines that do."""
    interval = f" (95 % interval {_bounds(line)})" if line.interval is not None else ""
    text = f"{line.label} is {_against_naive(line)}{interval}"
    yes = "Yes" if board.is_tested else "Probably"
    simple = [other for other in _winners(board) if other.is_baseline]
    if not simple:
        others = [other for other in board.lines if other.is_baseline and not other.is_naive and len(other.runs)]
        if others:
            return f"{yes}. {text}, and no baseline beats that value by more than chance. Take {line.label}."
        return f"{yes}. {text}. Take {line.label}, but compare it with ridge too: no baseline but naive ran."
    # Of several baselines the one that the tests do not set apart from the recurrent line decides.
    apart = {other.label: _p_between(line, other) for other in simple}
    rival = next((other for other in simple if (apart[other.label] or 0.0) >= SIGNIFICANT), simple[0])
    p, share = apart[rival.label], _share(rival)
    if p is not None and p >= SIGNIFICANT:
        return (
            f"No need. {text}, but {rival.label}, which is simpler, is not clearly different ({share}, "
            f"p {p_value(p)}). Take {rival.label}."
        )
    if _gain(rival) > _gain(line):
        return f"No. {text}, but {rival.label}, which is simpler, is better still ({share}). Take {rival.label}."
    if p is not None:
        return f"{yes}. {text}, and clearly better than the best baseline, {rival.label} ({share}). Take {line.label}."
    return (
        f"{yes}. {text}. The best baseline, {rival.label}, gains {share}; the two were not tested against each other. "
        f"Take {line.label} if the difference is worth its cost."
    )


def _p_between(line: Line, other: Line) -> float | None:
    """Only the board's best line is tested against the others, so one of the two must be that."""
    if line.p_naive is None or other.p_naive is None or (line.p_best is None) == (other.p_best is None):
        return None
    return line.p_best if line.p_best is not None else other.p_best


def _tests(board: Board, scored: list[Line]) -> list[str]:
    tested = [line for line in scored if line.p_naive is not None]
    winners = [line for line in tested if beats_naive(line)]
    how = f"Diebold-Mariano, p < {SIGNIFICANT} after Holm's correction over {len(tested)}"
    if winners:
        first, *rest = winners
        names = f"{first.label} ({_skill(first)}{_interval(first)})"
        names += "".join(f", {line.label} ({_skill(line)})" for line in rest)
        sentences = [f"{len(winners)} of {len(tested)} beat naive by more than chance ({how}): {names}."]
    else:
        which = "No variant" if len(tested) == len(scored) else "No tested variant"
        best = f"{tested[0].label}, has a skill of {_skill(tested[0])}{_interval(tested[0])}"
        sentences = [f"{which} beats naive by more than chance ({how}): the best, {best}."]
    sentences += _against_the_best(tested)
    untested = [line.label for line in scored if line.p_naive is None]
    if untested:
        sentences.append(f"Not tested, because usable predictions are missing: {', '.join(untested)}.")
    if 0 < board.seeds < MIN_SEEDS:
        sentences.append(
            f"With {counted(board.seeds, 'seed')} the spread over seeds is unknown: run at least {MIN_SEEDS}."
        )
    return sentences


def _against_the_best(tested: list[Line]) -> list[str]:
    best, *others = tested
    rivals = [line for line in others if line.p_best is not None]
    worse = [line.label for line in rivals if line.p_best is not None and line.p_best < SIGNIFICANT]
    alike = [line.label for line in rivals if line.label not in worse]
    if not rivals:
        return []
    if not worse:
        return [f"No clear winner: nothing is significantly worse than {best.label}, the best of {len(tested)}."]
    if not alike:
        aside = "" if beats_naive(best) else " but naive"
        return [f"{best.label} is significantly better than all others{aside}."]
    rest = f"{len(alike)} others are" if len(alike) > 1 else f"{alike[0]} is"
    return [f"{best.label} is significantly better than {', '.join(worse)}; {rest} not clearly different from it."]


def _spreads(board: Board, scored: list[Line]) -> list[str]:
    is_known = board.seeds >= MIN_SEEDS
    winners = _winners(board)
    by_how_much = " by more than the spread over seeds" if is_known else ""
    if winners:
        names = ", ".join(f"{line.label} ({_skill(line)})" for line in winners)
        verb = "beat naive" if is_known else "end ahead of naive"
        sentences = [f"{len(winners)} of {len(scored)} {verb}{by_how_much}: {names}."]
    else:
        verb = "beats naive" if is_known else "ends ahead of naive"
        best = f"{scored[0].label}, has a skill of {_skill(scored[0])}"
        sentences = [f"No variant {verb}{by_how_much}: the best, {best}."]
    if board.seeds == 0:
        sentences.append("Nothing here learns at random, so there is no spread over seeds to compare with.")
    elif not is_known:
        seeds = counted(board.seeds, "seed")
        sentences.append(f"With {seeds} the spread is unknown: run at least {MIN_SEEDS} before you trust the order.")
    return sentences


def _beats_by_spread(line: Line, board: Board) -> bool:
    """Whether the mean skill exceeds its spread over seeds, and rounding; a line without seeds is measured by the
    median spread on the board. With fewer than three seeds there is no spread to compare with."""
    if not _has_evidence(board):
        return _gain(line) > ROUNDING
    spreads = [other.skill.deviation for other in _scored(board) if other.skill and other.skill.deviation is not None]
    own = line.skill.deviation if line.skill is not None else None
    return _gain(line) > max(ROUNDING, own if own is not None else statistics.median(spreads or [0.0]))


def _failures(board: Board) -> list[str]:
    failed = sum(len(line.failed) for line in board.lines)
    if failed == 0:
        return []
    return [f"{counted(failed, 'run')} failed and {'is' if failed == 1 else 'are'} not counted."]


def _gain(line: Line) -> float:
    assert line.skill is not None
    return line.skill.mean


def _against_naive(line: Line) -> str:
    gain = _gain(line)
    if abs(gain) <= ROUNDING:
        return "as accurate as repeating the last value"
    return f"{_share(line)} {'better' if gain > 0 else 'worse'} than repeating the last value"


def _share(line: Line) -> str:
    return f"{100 * abs(_gain(line)):.{_digits(line)}f} %"


def _digits(line: Line) -> int:
    return 1 if abs(_gain(line)) >= 0.1 else 2


def _skill(line: Line) -> str:
    assert line.skill is not None
    return f"{figure(line.skill.times(100), decimals=2, sign=True)} %"


def _bounds(line: Line) -> str:
    assert line.interval is not None
    digits = _digits(line)
    return " to ".join(f"{round(100 * end, digits) + 0.0:.{digits}f}" for end in line.interval)


def _interval(line: Line) -> str:
    return f", 95 % interval {interval_text(line.interval)}" if line.interval is not None else ""


def _listed(lines: list[Line]) -> str:
    return ", ".join(line.label for line in lines)
