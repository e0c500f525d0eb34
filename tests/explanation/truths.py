"""Series whose inputs that matter are known by construction, and models of them."""

import numpy as np
import pandas as pd

import zoo


def three_channels(rows: int = 900, lag: int = 3, seed: int = 0) -> pd.DataFrame:
    """Noise in four columns, but that y repeats what c2 was `lag` rows before: the only thing that helps."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 4)), columns=["y", "c1", "c2", "c3"])
    frame["y"] = 0.1 * frame["y"] + np.r_[np.zeros(lag), frame["c2"].to_numpy()[:-lag]]
    return frame


def trained(name: str, data: zoo.Data, epochs: int = 25, **params: object):
    """A variant fitted to data in about a second."""
    model = zoo.create(name, data.problem, seed=0, **params)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=epochs, learning_rate=0.01), seed=0)
    return model
