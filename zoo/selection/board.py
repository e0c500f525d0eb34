"""Board: the scores of all candidates, and which of them is chosen."""

import json
from dataclasses import asdict, dataclass, field

import numpy as np

from zoo.selection.judge import chosen, ratio
from zoo.selection.score import Candidate, Score


@dataclass
class Entry:
    """A candidate and its losses on each block that it was scored on; rank: how simple it is, 0 is the simplest;
    seconds, epochs: of its longest run; error: why it has no score."""

    candidate: Candidate
    rank: int
    losses: dict[int, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    epochs: int = 1
    error: str | None = None


class Board:
    """naive: its losses on each block, the newest first; horizon: of the windows."""

    def __init__(self, naive: list[np.ndarray], horizon: int) -> None:
        self.naive, self.horizon = naive, horizon
        self.entries: dict[str, Entry] = {}

    def enter(self, candidate: Candidate, rank: int) -> str:
        """Its key on the board, where it has no score yet."""
        key = json.dumps(asdict(candidate), sort_keys=True)
        self.entries.setdefault(key, Entry(candidate, rank))
        return key

    def add(self, key: str, block: int, score: Score) -> None:
        """Note a score; the last one of a block counts, which had the most time."""
        entry = self.entries[key]
        entry.seconds, entry.epochs = max(entry.seconds, score.seconds), max(entry.epochs, score.epochs)
        if score.losses is None:
            entry.error = score.error
        else:
            entry.losses[block] = score.losses

    def error(self, key: str) -> float:
        """The rmse over naive's on the blocks that it was scored on; infinite where there are none."""
        blocks = sorted(self.entries[key].losses)  # in one order, whichever was scored first
        if not blocks:
            return float("inf")
        losses = [self.entries[key].losses[block] for block in blocks]
        return ratio(np.concatenate(losses), np.concatenate([self.naive[block] for block in blocks]))

    def error_on(self, key: str, block: int) -> float:
        """The rmse over naive's on one block; infinite where it has no score there."""
        losses = self.entries[key].losses
        return ratio(losses[block], self.naive[block]) if block in losses else float("inf")

    def complete(self) -> list[str]:
        """The keys of candidates with a score on every block."""
        return [key for key, entry in self.entries.items() if len(entry.losses) == len(self.naive)]

    def whole(self, key: str) -> np.ndarray:
        """Its losses on all blocks in time order."""
        return np.concatenate([losses for _, losses in sorted(self.entries[key].losses.items(), reverse=True)])

    def pick(self) -> str:
        """The key of the candidate to choose, see zoo.selection.judge.chosen; naive is always among them."""
        ranks = {key: self.entries[key].rank for key in self.complete()}
        return chosen({key: self.whole(key) for key in ranks}, ranks, self.horizon)

    def best(self) -> str:
        """The key of the candidate with the lowest error on all blocks."""
        return min(self.complete(), key=self.error)
