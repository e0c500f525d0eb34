"""classify: the classes that a saved model gives to new sequences."""

import pandas as pd

from zoo.ahead import classified
from zoo.data.cases import Cases
from zoo.errors import expect
from zoo.train.forecast_next import network_of
from zoo.train.store import SavedModel


def classify(saved: SavedModel, cases: Cases, *, device: str = "auto") -> pd.DataFrame:
    """For each case its name, the class that it most probably belongs to, and the probability of each class.

    Columns: case, the name of the class's column in the fit, and p_NAME for each class. A case that was in the fit is
    classified like any other; the classes in `cases` are not read. Needs the model's channels in their order. Sequences
    may be of any length that the variant takes. Raises InputError.
    """
    expect("saved", saved, SavedModel, "what zoo.load_model returns")
    return classified(saved.file, network_of(saved, device), cases)
