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
    tensors = [each.clone() for each in (windows.values, windows.inputs) if each is not None]
    learned, counts = {}, []
    for (position, _), (column, own) in zip(data.problem.categories, names.items(), strict=True):
        places = windows.values[:, position].double().numpy()
        seen = np.unique(places[is_learned & ~np.isnan(places)]).astype(int)
        learned[column] = tuple(own[place] for place in seen)
        codes = torch.from_numpy(coded(places, own, learned[column]).astype(np.float32))
        for tensor in tensors:
            tensor[:, position] = codes
        counts.append((position, len(seen)))
    values, inputs = tensors[0], tensors[1] if len(tensors) > 1 else None

    def with_these(part: Any) -> Any:
        return None if part is None else replace(part, values=values, inputs=inputs)

    fingerprint = hashlib.sha256(f"{data.fingerprint}{list(names.items())}".encode()).hexdigest()
    problem = replace(data.problem, categories=tuple(counts))
    return replace(
        data,
        problem=problem,
        categories=learned,
        fingerprint=fingerprint,
        train=with_these(data.train),
        valid=with_these(data.valid),
        test=with_these(data.test),
    )
