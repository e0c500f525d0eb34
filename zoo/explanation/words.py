"""Words: the answer first, in a few sentences."""

from collections.abc import Iterator

import numpy as np

from zoo.explanation.explain import Explanation
from zoo.explanation.lags import Group, group_text
from zoo.explanation.permutation import Importance, is_clear, spread_of

SHOWN = 3  # channels in a sentence


def answer(explained: Explanation) -> list[str]:
    """What matters most and by how much, whether the methods agree, and what attention and gates do."""
    importance, sentences = explained.importance, list[str]()
    if importance is not None:
        sentences += _importance(explained, importance)
    sentences += _attributions(explained)
    if explained.attention is not None:
        weights = explained.attention.by_lag
        lag = int(weights.argmax())
        sentences.append(
            f"Attention is highest at lag {lag + 1}: weight {weights[lag]:.2f}, where even weights are "
            f"{1 / len(weights):.2f}. It weighs states, which hold earlier steps too."
        )
    for gates in explained.gates[:1]:
        _, forget, _ = gates.openings_PL.mean(axis=1)
        sentences.append(
            f"The forget gate of {gates.name} keeps {100 * forget:.0f} % of the cell at a step, on average."
        )
    return sentences


def input_text(channel: str, group: Group) -> str:
    """close at lag 3."""
    return f"{channel} at lag{'s' * (group[0] < group[1])} {group_text(group)}"


def top_of(map_CG: np.ndarray) -> tuple[int, int]:
    """The channel and the group of the largest value."""
    channel, group = np.unravel_index(int(map_CG.argmax()), map_CG.shape)
    return int(channel), int(group)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """The share of importance that two maps put on the same inputs, from 0 to 1; what is negative counts as none."""
    parts = [np.clip(each, 0.0, None) for each in (one, other)]
    return float(np.minimum(*(part / part.sum() for part in parts)).sum())


def _importance(explained: Explanation, importance: Importance) -> Iterator[str]:
    base, error = importance.base, importance.error
    c, g = top_of(importance.map_CG)
    increases = importance.increases_RCG[:, c, g]
    if is_clear(increases, base):
        spread = spread_of(increases)
        yield (
            f"{input_text(importance.channels[c], importance.groups[g])} matters most to {explained.name}: shuffled "
            f"between windows, it raises the {error} from {base:.4g} by {_share(spread['increase'], base)} "
            f"(95 % interval {_share(spread['low'], base)} to {_share(spread['high'], base)})."
        )
    else:
        rise = spread_of(importance.everything_R)["increase"]
        together = f"changes it by {_share(rise, base)}"
        if is_clear(importance.everything_R, base):
            together = f"raises it by {_share(rise, base)}: the inputs stand in for each other"
        yield (
            f"No single input clearly matters to {explained.name}: the {error} is {base:.4g}, and shuffling all inputs "
            f"at once {together}."
        )
    if len(importance.channels) > 1:
        order = np.argsort(-importance.channels_RC.mean(axis=0), kind="stable")
        clear = [number for number in order if is_clear(importance.channels_RC[:, number], base)]
        shown = [f"{importance.channels[n]} {_share(importance.channels_RC[:, n].mean(), base)}" for n in clear[:SHOWN]]
        rest = len(importance.channels) - len(clear)
        without = f"; {rest} of {len(importance.channels)} channels do not clearly matter" if shown and rest else ""
        if shown:
            yield f"Channels over all their lags: {', '.join(shown)}{without}."
    if importance.level_R is not None:
        lag_1 = ", the value at lag 1, which is then 0" * (explained.problem.normalise == "last")
        yield (
            f"This is about the distance from the level that normalising removes from each window and restores{lag_1}; "
            f"that level from another window would change the {error} by {_share(importance.level_R.mean(), base)}."
        )


def _attributions(explained: Explanation) -> Iterator[str]:
    attributions, importance = explained.attributions, explained.importance
    if attributions is None:
        return
    sizes_CG = attributions.map_CG(explained.groups)
    if not sizes_CG.any():
        yield "Integrated gradients are zero everywhere: the forecast is the level that is restored."
        return
    c, g = top_of(sizes_CG)
    top, share = input_text(explained.channels[c], explained.groups[g]), 100 * sizes_CG[c, g] / sizes_CG.sum()
    first = f"{top}, which brings {share:.0f} % of what moves the forecast"
    if importance is None:
        yield f"Integrated gradients put first {first}."
    elif not is_clear(importance.increases_RCG[:, (n := top_of(importance.map_CG))[0], n[1]], importance.base):
        yield f"Integrated gradients put first {first}; that these movements help is not clear."
    else:
        shared = overlap(importance.map_CG, sizes_CG)
        verdict = "agree" if top_of(importance.map_CG) == (c, g) else "do not agree"
        yield (
            f"Integrated gradients {verdict}: they put first {first}; {100 * shared:.0f} % of the importance by both "
            "methods lies on the same inputs."
        )


def _share(increase: float, base: float) -> str:
    """A rise in percent of the error, or by itself where that is zero."""
    return f"{100 * increase / base:+.1f} %" if base > 0 else f"{increase:+.3g}"
