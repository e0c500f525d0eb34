"""The section of an explanation, for the terminal and for the page."""

import numpy as np

from zoo.explanation.explain import Explanation
from zoo.explanation.lags import group_text
from zoo.explanation.permutation import EVERYTHING, LEVEL, Importance, spread_of
from zoo.explanation.pictures import charts_of
from zoo.explanation.words import answer
from zoo.report.section import Captioned, Section
from zoo.report.text_table import table_of

SHOWN = 10  # inputs in a table
RISE = (
    "Rise: how much larger the error is when the input comes from another window; the mean over repeats and its 95 % "
    "interval, which is of the shuffling alone."
)
SHARE = "Attribution: the share of all that moves the forecasts, by integrated gradients."


def section_of(explained: Explanation, command: str = "") -> Section:
    """The answer, the inputs in order, a chart for each method, and what was explained."""
    problem = explained.problem
    how = f"the last {problem.lookback} rows" if problem.task != "classify" else f"{problem.lookback} steps"
    provenance = [
        ("model", f"{explained.name}, {', '.join(explained.targets)} from {how}, normalise {problem.normalise}"),
        ("data", explained.source),
        ("windows", f"{explained.windows} of the {explained.available} of the part {explained.part}"),
    ]
    if explained.attributions is not None:
        gap = f"{100 * explained.attributions.gap:.2g} % of the mean distance from the baseline's forecast"
        provenance.append(("integrated gradients miss completeness by", gap))
    provenance += [("note", note) for note in explained.notes]
    sentences = answer(explained) or ["No method applied: there is nothing to show."]
    first, *others = [*charts_of(explained).values(), None]
    blocks = [block for block in (first, *_tables(explained), *others) if block is not None]
    title = f"What {explained.name} uses to forecast" if problem.task != "classify" else f"What {explained.name} uses"
    return Section(title, sentences, blocks, provenance=provenance, commands=[command] if command else [])


def _tables(explained: Explanation) -> list[Captioned]:
    """The inputs that matter most, by the first method that applied, and what each channel matters in all."""
    importance, attributions = explained.importance, explained.attributions
    sizes = attributions.map_CG(explained.groups) if attributions is not None else None
    shares = sizes / sizes.sum() if sizes is not None and sizes.any() else None
    order_by = importance.map_CG if importance is not None else shares
    if order_by is None:
        return []
    lines = []
    for place in np.argsort(-order_by.ravel(), kind="stable")[:SHOWN]:
        c, g = np.unravel_index(place, order_by.shape)
        line = {"input": explained.channels[c], "lag": group_text(explained.groups[g])}
        if importance is not None:
            line |= _rise(importance, importance.increases_RCG[:, c, g])
        if shares is not None:
            line["attribution"] = f"{100 * shares[c, g]:.1f} %"
        lines.append(line)
    first = Captioned(
        "Channels by lag", table_of(lines), " ".join([RISE] * (importance is not None) + [SHARE] * (shares is not None))
    )
    return [first] if importance is None else [first, _by_channel(importance, shares)]


def _by_channel(importance: Importance, shares: np.ndarray | None) -> Captioned:
    """What is shuffled in all lags at once: each channel, all of them, and the level."""
    lines = []
    for c in np.argsort(-importance.channels_RC.mean(axis=0), kind="stable")[:SHOWN]:
        line = {"input": importance.channels[c], **_rise(importance, importance.channels_RC[:, c])}
        lines.append(line if shares is None else line | {"attribution": f"{100 * shares[c].sum():.1f} %"})
    further = {EVERYTHING: importance.everything_R, LEVEL: importance.level_R}
    for name, increases in further.items():
        if increases is not None:
            line = {"input": name, **_rise(importance, increases)}
            lines.append(line if shares is None else line | {"attribution": "-"})
    return Captioned("Channels over all lags", table_of(lines), "")


def _rise(importance: Importance, increases: np.ndarray) -> dict[str, str]:
    spread, base = spread_of(increases), importance.base
    half = f"{spread['increase'] - spread['low']:.2g}"
    cells = {f"rise of the {importance.error}": f"{spread['increase']:.4g} ± {half}"}
    return cells | {"in %": f"{100 * spread['increase'] / base:+.1f}" if base > 0 else "-"}
