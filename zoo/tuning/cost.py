"""What a study has spent: trials by how they ended, and their seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from optuna.trial import FrozenTrial, TrialState


@dataclass(frozen=True)
class Cost:
    """trials = complete + pruned + failed count against the budget; lost ones were run again.

    seconds: of all trials together, on however many workers; busy_seconds: of the clock while any ran. Both
    are without those that were found dead after their process was killed: nobody saw when they ended.
    """

    trials: int
    complete: int
    pruned: int
    failed: int
    lost: int
    seconds: float
    busy_seconds: float


def cost_of(trials: Sequence[FrozenTrial]) -> Cost:
    """The cost of the trials that have ended."""
    ended, lost = counted(trials), _lost(trials)
    by_state = {state: sum(t.state == state for t in ended) for state in TrialState}
    spans = sorted(
        (t.datetime_start.timestamp(), t.datetime_complete.timestamp())
        for t in trials
        if t.state.is_finished() and t.datetime_start is not None and t.datetime_complete is not None
        # One that was found dead ended when it was found, perhaps days later.
        if t.number not in lost or "error" in t.user_attrs
    )
    busy, reached = 0.0, float("-inf")
    for start, end in spans:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return Cost(
        trials=len(ended),
        complete=by_state[TrialState.COMPLETE],
        pruned=by_state[TrialState.PRUNED],
        failed=by_state[TrialState.FAIL],
        lost=len(lost),
        seconds=sum(end - start for start, end in spans),
        busy_seconds=busy,
    )


def is_sequential(trials: Sequence[FrozenTrial]) -> bool:
    """Whether each trial began after the one before had ended."""
    spans = sorted((t.datetime_start, t.datetime_complete) for t in trials if t.datetime_start and t.datetime_complete)
    return all(end <= start for (_, end), (start, _) in pairwise(spans))


def counted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Ended trials that count against the budget: not those that were run again, nor one too many."""
    lost = _lost(trials)
    return [t for t in trials if t.state.is_finished() and t.number not in lost and not t.user_attrs.get("surplus")]


def _lost(trials: Sequence[FrozenTrial]) -> set[int]:
    return {t.user_attrs["retry_of"] for t in trials if "retry_of" in t.user_attrs}
