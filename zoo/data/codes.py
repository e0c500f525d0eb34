"""Codes: the categories of prepared data, numbered by what the training windows hold."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from zoo.data.categories import coded
from zoo.data.dataset import Data
from zoo.data.sequences import Sequences


def with_codes(data: Data, names: Mapping[str, tuple[str, ...]]) -> Data:
    """Data whose category channels hold positions in `names`, with codes in their place.

    Only names that a training window holds have codes of their own, so that nothing later decides how many there are.
    """
    windows = data.train
    assert not isinstance(windows, Sequences)
    starts = windows.starts.numpy()
    rows = len(windows.values)
    begins, ends = (np.bincount(each, minlength=rows + 1) for each in (starts, starts + windows.lookback))
    is_learned = np.cumsum(begins - ends)[:rows] > 0
    values, learned, counts = windows.values.clone(), {}, []
    for (position, _), (column, own) in zip(data.problem.categories, names.items(), strict=True):
        places = values[:, position].double().numpy()
        seen = np.unique(places[is_learned & ~np.isnan(places)]).astype(int)
        learned[column] = tuple(own[place] for place in seen)
        values[:, position] = torch.from_numpy(coded(places, own, learned[column]).astype(np.float32))
        counts.append((position, len(seen)))
    parts: dict[str, Any] = {
        name: part if part is None else replace(part, values=values)
        for name, part in (("train", data.train), ("valid", data.valid), ("test", data.test))
    }
    fingerprint = hashlib.sha256(f"{data.fingerprint}{list(names.items())}".encode()).hexdigest()
    problem = replace(data.problem, categories=tuple(counts))
    return replace(data, problem=problem, categories=learned, fingerprint=fingerprint, **parts)
