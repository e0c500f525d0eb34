"""The verdict: should one use a recurrent model here, what beats naive by more than chance, and what does not."""

from zoo.report.board import MIN_SEEDS, ROUNDING, SIGNIFICANT, Board, Line, counted, listed, trades
from zoo.report.gain import tuning_verdict
from zoo.report.tables import p_value, skill_percent


def verdict(board: Board) -> list[str]:
    """The answer to "should I use an LSTM here?", and then what it rests on; sentences computed from the board.

    A line beats naive when equal accuracy is rejected (p below 0.05 after Holm's correction over the board), the
    interval of its skill lies above zero, and its mean skill exceeds rounding (0.01 %).
    """
    scored = _scored(board)
    sentences = [answer(board)]
    if scored:
        sentences += [_ahead_of_naive(board), *_against_the_best(scored), *_caveats(board)]
        best_trades = trades(board).query("is_best")["label"][::-1]
        if len(best_trades) > 1:
            sentences.append(
                "Best trade-offs (nothing else both trains faster and is more accurate), fastest first: "
                f"{', '.join(best_trades)}."
            )
    failed = sum(len(line.failed) for line in board.lines)
    failures = [f"{counted(failed, 'run')} failed and {'is' if failed == 1 else 'are'} not counted."] if failed else []
    return sentences + tuning_verdict(board) + failures


def answer(board: Board) -> str:
    """Should one use a recurrent model here? One sentence with its figure, and what to do."""
    recurrent = [line for line in board.lines if not line.is_baseline]
    scored = [line for line in _scored(board) if not line.is_baseline]
    if not recurrent:
        return "No answer: no recurrent model ran here. Add one, such as lstm."
    if not any(len(line.runs) for line in recurrent):
        return f"No answer: every run of {listed(recurrent)} failed. Fix the errors named below and run it again."
    if not scored:
        return "No. Repeating the last value makes no error here. Keep naive."
    winners = [line for line in _winners(board) if not line.is_baseline]
    if winners and board.is_tested:
        return _yes(board, winners[0])
    best = scored[0]
    text = f"The best recurrent model, {best.label}, is {_against_naive(best)}"
    if _gain(best) <= ROUNDING:
        return f"No. {text}. {_instead(board)}"
    if best.p_naive is not None:
        return f"No. {text}, which chance alone can explain. {_instead(board)}"
    reason = board.untested or "its predictions are missing"
    return f"Unclear. {text}, but chance was not ruled out: {reason}. Keep naive until it is."


def beats_naive(line: Line) -> bool:
    """Whether a tested line is better than repeating the last value, by more than chance and rounding."""
    is_above = line.interval is None or line.interval[0] > 0
    return line.p_naive is not None and line.p_naive < SIGNIFICANT and is_above and _gain(line) > ROUNDING


def _scored(board: Board) -> list[Line]:
    return [line for line in board.lines if line.skill is not None and not line.is_naive]


def _winners(board: Board) -> list[Line]:
    """The lines that beat naive; where nothing was tested, those that end ahead of it."""
    if board.is_tested:
        return [line for line in _scored(board) if beats_naive(line)]
    return [line for line in _scored(board) if _gain(line) > ROUNDING]


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
    simple = [other for other in _winners(board) if other.is_baseline]
    if not simple:
        if any(other.is_baseline and not other.is_naive and len(other.runs) for other in board.lines):
            return f"Yes. {text}, and no baseline beats that value by more than chance. Take {line.label}."
        return f"Yes. {text}. Take {line.label}, but compare it with ridge too: no baseline but naive ran."
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
        return f"Yes. {text}, and clearly better than the best baseline, {rival.label} ({share}). Take {line.label}."
    return (
        f"Yes. {text}. The best baseline, {rival.label}, gains {share}; the two were not tested against each other. "
        f"Take {line.label} if the difference is worth its cost."
    )


def _p_between(line: Line, other: Line) -> float | None:
    """Only the board's best line is tested against the others, so one of the two must be that."""
    if line.p_naive is None or other.p_naive is None or (line.p_best is None) == (other.p_best is None):
        return None
    return line.p_best if line.p_best is not None else other.p_best


def _ahead_of_naive(board: Board) -> str:
    """How many lines beat naive, and which."""
    scored, winners = _scored(board), _winners(board)
    candidates = [line for line in scored if line.p_naive is not None or not board.is_tested]
    verbs, beyond = ("beat", "beats"), f" by more than chance (p < {SIGNIFICANT})"
    if not board.is_tested:
        verbs, beyond = ("end ahead of", "ends ahead of"), ""
    if winners:
        names = ", ".join(f"{line.label} ({skill_percent(line)} %)" for line in winners)
        return f"{len(winners)} of {len(candidates)} {verbs[0]} naive{beyond}: {names}."
    variant, best = "variant" if len(candidates) == len(scored) else "tested variant", candidates[0]
    return f"No {variant} {verbs[1]} naive{beyond}: the best, {best.label}, has a skill of {skill_percent(best)} %."


def _against_the_best(scored: list[Line]) -> list[str]:
    tested = [line for line in scored if line.p_naive is not None]
    rivals = [line for line in tested[1:] if line.p_best is not None]
    if not rivals:
        return []
    best = tested[0]
    worse = [line for line in rivals if line.p_best is not None and line.p_best < SIGNIFICANT]
    alike = [line for line in rivals if line not in worse]
    if not worse:
        return [f"No clear winner: nothing is significantly worse than {best.label}, the best of {len(tested)}."]
    if not alike:
        aside = "" if beats_naive(best) else " except naive"
        return [f"{best.label} is significantly better than all others{aside}."]
    others = f"{len(alike)} others are" if len(alike) > 1 else f"{alike[0].label} is"
    return [f"{best.label} is significantly better than {listed(worse)}; {others} not clearly different from it."]


def _caveats(board: Board) -> list[str]:
    """What was not tested, and too few seeds."""
    sentences = []
    untested = [line for line in _scored(board) if line.p_naive is None]
    if board.is_tested and untested:
        sentences.append(f"Not tested, because usable predictions are missing: {listed(untested)}.")
    if board.untested:
        sentences.append(f"Whether this holds over other test periods was not tested: {board.untested}.")
    if 0 < board.seeds < MIN_SEEDS:
        seeds = counted(board.seeds, "seed")
        sentences.append(f"With {seeds} the spread over seeds is unknown: run at least {MIN_SEEDS}.")
    return sentences


def _gain(line: Line) -> float:
    assert line.skill is not None
    return line.skill.mean


def _against_naive(line: Line) -> str:
    if abs(_gain(line)) <= ROUNDING:
        return "as accurate as repeating the last value"
    return f"{_share(line)} {'better' if _gain(line) > 0 else 'worse'} than repeating the last value"


def _share(line: Line) -> str:
    return f"{100 * abs(_gain(line)):.{_digits(line)}f} %"


def _bounds(line: Line) -> str:
    return " to ".join(f"{round(100 * end, _digits(line)) + 0.0:.{_digits(line)}f}" for end in line.interval or ())


def _digits(line: Line) -> int:
    return 1 if abs(_gain(line)) >= 0.1 else 2
