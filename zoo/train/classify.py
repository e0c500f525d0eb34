"""classify: the classes that a saved model gives to new sequences."""

import numpy as np
import pandas as pd
import torch

from zoo.data.cases import Cases
from zoo.errors import Diverged, InputError, expect
from zoo.layers.classes import Classes
from zoo.train.fit import resolve_device
from zoo.train.predict import predict
from zoo.train.store import SavedModel


def classify(saved: SavedModel, cases: Cases, *, device: str = "auto") -> pd.DataFrame:
    """For each case its name, the class that it most probably belongs to, and the probability of each class.

    Columns: case, the name of the class's column in the fit, and p_NAME for each class. A case that was in the fit is
    classified like any other; the classes in `cases` are not read. Needs the model's channels in their order. Sequences
    may be of any length that the variant takes. Raises InputError.
    """
    expect("saved", saved, SavedModel, "what zoo.load_model returns")
    expect("cases", cases, Cases, "labelled sequences, as zoo.load and zoo.cases return")
    model, file = saved.model, saved.file
    if not isinstance(model, Classes):
        raise InputError(
            f"the model forecasts {', '.join(saved.targets)}, and {cases.source} holds sequences to classify"
        )
    if cases.channels != file.channels:
        raise InputError(
            f"{cases.source} has the channels {', '.join(cases.channels)}, the model needs {', '.join(file.channels)}"
        )
    where = resolve_device(device)
    model.to(where)
    scaled = saved.scaler.transform(cases.values).astype(np.float32)
    starts, chances = np.cumsum(cases.lengths) - cases.lengths, np.empty((len(cases), len(file.classes)))
    for length in np.unique(cases.lengths):
        own = np.flatnonzero(cases.lengths == length)
        x = torch.from_numpy(scaled[starts[own, None] + np.arange(length)]).to(where)
        try:
            log_odds = predict(model, x.split(1024))
        except Exception as error:  # a variant may raise anything
            if length == model.problem.lookback:
                raise
            raise InputError(
                f"{file.variant} needs sequences of {model.problem.lookback} steps, and case "
                f"'{cases.names[own[0]]}' of {cases.source} has {length}"
            ) from error
        chances[own] = Classes.restored(log_odds.cpu().numpy(), None)[:, 0]
    if not np.isfinite(chances).all():
        raise Diverged("the model's probabilities are not finite numbers")
    (label,) = saved.targets
    label = "class" if label == "case" else label
    frame = pd.DataFrame({"case": cases.names, label: np.array(file.classes)[chances.argmax(axis=1)]})
    return frame.assign(**{f"p_{name}": chances[:, place] for place, name in enumerate(file.classes)})
