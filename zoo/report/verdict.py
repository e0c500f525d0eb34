"""The verdict: should one use a recurrent model here, what beats naive, and what may be the best."""

from zoo.data.builtin import BUILT_IN
from zoo.report.board import MIN_SEEDS, ROUNDING, Board, Line, counted, listed, value_of
from zoo.report.gain import tuning_verdict
from zoo.report.tables import fold_skills, skill_percent

COVERAGE_POINTS = 3.0  # a coverage this near to its nominal share is right
CONFIDENCE = "95 % model confidence set"
READS_ALL = ("tcn",)  # baselines that read all channels; the others read the past of their target alone


def verdict(board: Board) -> list[str]:
    """The answer to "should I use an LSTM here?", and then what it rests on; sentences computed from the board."""
    scored = _scored(board)
    sentences = [answer(board)]
    if scored:
        sentences += [_ahead_of_naive(board), *_best_set(board), *_attainable(board)]
        sentences += [*_above_a_constant(board), *_coverage(board), *_folds(board)]
        sentences += _caveats(board)
    return sentences + tuning_verdict(board) + _failures(board)


def answer(board: Board) -> str:
    """Should one use a recurrent model here? One sentence with its figure, and what to do."""
    recurrent = [line for line in board.lines if not line.is_baseline]
    scored = [line for line in _scored(board) if not line.is_baseline]
    if not recurrent:
        return "No answer: no recurrent model ran here. Add one, such as lstm."
    if not any(line.is_complete for line in recurrent):
        whole = "every run" if not any(len(line.runs) for line in recurrent) else "at least one run"
        return f"No answer: {whole} of {listed(recurrent)} failed. Fix the errors named below and run it again."
    if not scored:
        return f"No. {board.task.naive.capitalize()} makes no error here. Keep naive."
    winners = [line for line in _winners(board) if not line.is_baseline]
    if winners and board.is_tested:
        return _yes(board, winners[0])
    best = scored[0]
    text = f"The best recurrent model, {best.label}, is {_against_naive(board, best)}"
    interval = f" (interval {_bounds(best)} %)" if best.interval is not None else ""
    by_chance = f", which chance alone can explain{interval}"
    if _gain(best) <= ROUNDING:
        is_chance = _gain(best) < -ROUNDING and best.interval is not None and best.interval[1] > 0
        return f"No. {text}{by_chance if is_chance else ''}. {_instead(board)}"
    if _gain(best) < board.minimum_skill:
        return f"No. {text}, less than the {100 * board.minimum_skill:.4g} % that matters. {_instead(board)}"
    if best.p_best is not None:
        return f"No. {text}{by_chance}. {_instead(board)}"
    simple = next((line for line in _winners(board) if line.is_baseline), None)
    if simple is not None and _gain(simple) >= _gain(best):
        return f"No. {text}, but {simple.label}, which is simpler, is better still. {_instead(board)}"
    reason = board.untested or "its predictions are missing"
    return f"Unclear. {text}, but chance was not ruled out: {reason}. Keep naive until it is."


def beats_naive(board: Board, line: Line) -> bool:
    """Whether a line's interval of skill lies above zero, and its skill is large enough to matter."""
    return line.interval is not None and line.interval[0] > 0 and _gain(line) >= board.minimum_skill


def _scored(board: Board) -> list[Line]:
    return [line for line in board.lines if line.skill is not None and line.is_complete and not line.is_naive]


def _winners(board: Board) -> list[Line]:
    """The lines that beat naive; where nothing was tested, those whose skill is large enough to matter."""
    if board.is_tested:
        return [line for line in _scored(board) if beats_naive(board, line)]
    return [line for line in _scored(board) if _gain(line) >= board.minimum_skill]


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
    text = f"{line.label} is {_against_naive(board, line)} (interval {_bounds(line)} %)"
    simple = [other for other in _winners(board) if other.is_baseline]
    if not simple:
        if any(other.is_baseline and not other.is_naive and len(other.runs) for other in board.lines):
            return f"Yes. {text}, and no baseline clearly beats that value. Take {line.label}."
        return f"Yes. {text}. Take {line.label}, but compare it with ridge too: no baseline but naive ran."
    rival = next((other for other in simple if other.may_be_best), simple[0])
    if line.may_be_best and rival.may_be_best:
        return (
            f"No need. {text}, but {rival.label}, which is simpler, is not clearly different ({_share(rival)}). "
            f"Take {rival.label}."
        )
    if _gain(rival) > _gain(line):
        return (
            f"No. {text}, but {rival.label}, which is simpler, is better still ({_share(rival)}). Take {rival.label}."
        )
    return (
        f"Yes. {text}, and clearly better than the best baseline, {rival.label} ({_share(rival)}). Take {line.label}."
    )


def _ahead_of_naive(board: Board) -> str:
    """How many lines beat naive, and which."""
    scored, winners = _scored(board), _winners(board)
    candidates = [line for line in scored if line.p_best is not None or not board.is_tested]
    enough = f" by at least {100 * board.minimum_skill:.4g} %"
    verbs, beyond = ("beat", "beats"), f"{enough} and by more than chance"
    if not board.is_tested:
        verbs, beyond = ("end ahead of", "ends ahead of"), enough
    if winners:
        names = ", ".join(f"{line.label} ({skill_percent(line)} %)" for line in winners)
        verb = verbs[1] if len(winners) == 1 else verbs[0]
        return f"{len(winners)} of {len(candidates)} {verb} naive{beyond}: {names}."
    variant, best = "variant" if len(candidates) == len(scored) else "tested variant", candidates[0]
    return f"No {variant} {verbs[1]} naive{beyond}: the best, {best.label}, has a skill of {skill_percent(best)} %."


def _best_set(board: Board) -> list[str]:
    """Which lines may be the best."""
    tested = [line for line in board.lines if line.p_best is not None]
    best = [line for line in tested if line.may_be_best]
    if len(tested) < 2:
        return []
    if len(best) == 1 and (best[0].is_naive or best[0].interval is None or best[0].interval[0] > 0):
        return [f"{best[0].label} is clearly the best ({CONFIDENCE})."]
    if len(best) == 1:
        return [f"{best[0].label} alone is in the {CONFIDENCE}, but its gain over naive may be chance."]
    if len(best) == len(tested):
        return [f"No clear winner: each of the {len(tested)} may be the best ({CONFIDENCE})."]
    if 2 * len(best) > len(tested):
        others = [line for line in tested if not line.may_be_best]
        return [f"No clear winner: each may be the best except {listed(others)} ({CONFIDENCE})."]
    return [f"No clear winner: the best is one of {listed(best)}; all others are clearly worse ({CONFIDENCE})."]


def _attainable(board: Board) -> list[str]:
    """How near the most accurate line comes to the best forecast there can be, which is known of generated data."""
    entry = BUILT_IN.get(board.source)
    if entry is None or entry.attainable is None or len(board.targets) > 1 or not board.task.is_squared:
        return []
    column, least = entry.attainable
    errors = {line.label: rmse.mean for line in board.lines if (rmse := line.spread("rmse")) is not None}
    if board.targets[0] != column or not errors or (least > 0 and board.horizon > 1):
        return []
    label = min(errors, key=lambda name: errors[name])
    if least == 0:
        return [
            f"Nothing in these data is random, so that the best attainable rmse is 0; {label} has {errors[label]:.3g}."
        ]
    share = f"{errors[label] / least:.2f} times that"
    return [f"The best attainable rmse is {least:g}, the deviation of what is random; {label} has {share}."]


def _above_a_constant(board: Board) -> list[str]:
    """Whether what beats naive foresees anything: repeating the last value of noise is worse than its mean."""
    best = next(iter(_winners(board)), None)
    r2 = best.spread("r2") if best is not None and len(board.targets) == 1 else None
    if best is None or r2 is None or r2.mean >= 0:
        return []
    return [f"{best.label} beats naive, but its r2 is below 0: one number, the mean of the test part, would do better."]


def _coverage(board: Board) -> list[str]:
    """How often actual values lie between the outer quantiles of the best line, and whether that is what they claim."""
    best = next((line for line in _scored(board) if line.spread("coverage") is not None), None)
    if not board.levels or best is None:
        return []
    coverage, nominal = best.spread("coverage"), 100 * (board.levels[-1] - board.levels[0])
    assert coverage is not None
    share = coverage.percent.mean
    text = f"The {nominal:.4g} % interval of {best.label} holds {share:.1f} % of the actual values"
    if abs(share - nominal) <= COVERAGE_POINTS:
        return [f"{text}."]
    text += ": it is too narrow." if share < nominal else ": it is too wide."
    if value_of(best.first, "is_adaptive"):
        return [text]
    return [f"{text} With --adaptive quantiles follow their own hits and misses."]


def _folds(board: Board) -> list[str]:
    """In how many folds the best recurrent line and the best baseline are ahead of naive."""
    if board.folds == 1:
        return []
    firsts = [next((line for line in _scored(board) if line.is_baseline is flag), None) for flag in (False, True)]
    texts = []
    for line in firsts:
        skills = [fold_skills(line, number) for number in range(board.folds)] if line is not None else []
        if line is not None and all(skills):
            ahead = sum(each is not None and each.mean > 0 for each in skills)
            texts.append(f"{line.label} in {ahead}")
    return [f"Ahead of naive in how many of {board.folds} folds: {', '.join(texts)}."] if texts else []


def _caveats(board: Board) -> list[str]:
    """What the baselines do not see, what was not tested, and too few seeds."""
    sentences = []
    ahead = [name for field in ("known", "calendar") for name in value_of(board.first, field) or ()]
    baselines = [line for line in board.lines if line.is_baseline and not line.is_naive]
    if ahead and len(baselines) < len(board.lines) - 1 and not any(line.variant in READS_ALL for line in baselines):
        verb = "tells" if len(ahead) == 1 else "tell"
        sentences.append(
            f"No baseline here reads what {' and '.join(ahead)} {verb} of the steps ahead, so a gain over them need "
            f"not come from recurrence: add {READS_ALL[0]}, which reads it."
        )
    untested = [line for line in _scored(board) if line.p_best is None]
    if board.is_tested and untested:
        sentences.append(f"Not tested, because usable predictions are missing: {listed(untested)}.")
    if board.untested:
        sentences.append(f"Whether this holds over other test periods was not tested: {board.untested}.")
    if 0 < board.seeds < MIN_SEEDS:
        seeds = counted(board.seeds, "seed")
        sentences.append(f"With {seeds} the spread over seeds is unknown: run at least {MIN_SEEDS}.")
    return sentences


def _failures(board: Board) -> list[str]:
    """Which lines are ranked last, and why."""
    lines = [line for line in board.lines if len(line.failed)]
    shares = [
        f"{line.label} ({len(line.failed)} of {counted(len(line.failed) + len(line.runs), 'run')})" for line in lines
    ]
    return [f"Ranked last, because runs failed: {', '.join(shares)}."] if lines else []


def _gain(line: Line) -> float:
    assert line.skill is not None
    return line.skill.mean


def _against_naive(board: Board, line: Line) -> str:
    naive = board.task.naive
    if abs(_gain(line)) <= ROUNDING:
        return f"as accurate as {naive}"
    return f"{_share(line)} {'better' if _gain(line) > 0 else 'worse'} than {naive}"


def _share(line: Line) -> str:
    return f"{100 * abs(_gain(line)):.{_digits(line)}f} %"


def _bounds(line: Line) -> str:
    return " to ".join(f"{round(100 * end, _digits(line)) + 0.0:.{_digits(line)}f}" for end in line.interval or ())


def _digits(line: Line) -> int:
    return 1 if abs(_gain(line)) >= 0.1 else 2
