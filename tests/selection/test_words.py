"""What the pick is compared with, in words."""

from types import SimpleNamespace

import numpy as np

from zoo.selection.board import Board
from zoo.selection.score import Candidate, Score
from zoo.selection.words import reasons

ROW = SimpleNamespace(
    variant="ridge", error=None, train_seconds=1.0, metrics=SimpleNamespace(skill=0.3, rmse=1.0, scaled_mse=1.0)
)


def second_sentence(*candidates):
    """Of a board with naive and these: variant, lookback, error over naive's."""
    board = Board([np.full(100, 1.0)], 1)
    for rank, (variant, lookback, error) in enumerate([("naive", 7, 1.0), *candidates]):
        key = board.enter(Candidate(variant, lookback), rank)
        board.add(key, 0, Score(np.full(100, error**2), 1.0))
    return reasons(board, board.best(), ROW, None)[1]


def test_the_runner_up_is_another_variant_not_the_pick_with_another_lookback():
    told = second_sentence(("ridge", 28, 0.5), ("ridge", 14, 0.51), ("lstm", 28, 0.6))
    assert told == "That is the lowest of 3 variants; lstm was next, 20.0 % higher."
    assert second_sentence(("ridge", 28, 0.5)) == "That is the lowest of 2 variants; naive was next, 100.0 % higher."
