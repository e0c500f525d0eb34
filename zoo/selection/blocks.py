"""Blocks: parts of the rows before the test part, on which candidates are judged as later on the test part."""

from collections.abc import Callable, Sequence

from zoo.data.dataset import Data
from zoo.errors import InputError

MOST = 3
LEAST_TRAIN = 0.4  # of the rows before the test part
LARGEST = 6  # a block is at most one in so many of these rows


def judged_blocks(whole: Data, prepared: Callable[[Sequence[int]], Data]) -> list[Data]:
    """Up to three preparations of the rows before the test part of `whole`, the newest block first.

    prepared: the data of a split in row counts. In each of them the test part is a block of rows on which candidates
    are judged, as long as the validation part of `whole` or shorter; its validation part is the rows before it, as
    many, which stop training; and all earlier rows are for training (rolling origin; Tashman 2000). Each has its own
    scaler. The blocks follow each other without a gap. Raises InputError where the rows are too few for one.
    """
    rows, horizon = whole.split.valid_end, whole.problem.horizon
    valid = whole.split.valid_end - whole.split.train_end
    length = max(min(valid or rows, rows // LARGEST), horizon)
    blocks: list[Data] = []
    for number in range(MOST):
        end = rows - number * length
        train = end - 2 * length
        if number and train < LEAST_TRAIN * rows:
            break
        try:
            if train < 1:
                raise InputError(f"two blocks of {length} rows leave none to train on")
            blocks.append(prepared([train, length, length]))
        except InputError as error:
            if not blocks:
                raise InputError(
                    f"the {rows} rows before the test part are too few to train, to stop and to choose: {error}"
                ) from error
            break
    return blocks
