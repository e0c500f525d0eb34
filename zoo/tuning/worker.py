"""The worker of trials; zoo.tuning.supervisor starts it.

It reads the reply to an epoch after the next one, so that training does not wait while the study decides; a pruned
trial has trained one epoch more than the study saw.
"""

import pickle
from functools import lru_cache
from pathlib import Path

from zoo.data.prepare import Data
from zoo.run.serving import Hear, Message, Say
from zoo.train.fit import Epoch
from zoo.tuning.trial import TrialRequest, run_trial


def answer(request: Message, say: Say, hear: Hear) -> Message:
    """The outcome of the trial in a request; each epoch is an event, and its reply says whether to go on.

    A request without a trial only loads the data.
    """
    data = _loaded(request["data"])
    if "trial" not in request:
        return {}
    is_pruning, waits = request["is_pruning"], False

    def goes_on(epoch: Epoch | None) -> bool:
        nonlocal waits
        if waits:
            waits = False
            if not hear()["goes_on"]:
                return False
        if epoch is None:
            return True
        say({"epoch": epoch.number, "valid_loss": epoch.valid_loss})
        waits = is_pruning
        return True

    outcome = run_trial(TrialRequest.of(request["trial"]), data, goes_on)
    if waits:
        hear()
    return outcome


@lru_cache(maxsize=2)
def _loaded(path: str) -> Data:
    data: Data = pickle.loads(Path(path).read_bytes())  # of the process that started this one
    return data
