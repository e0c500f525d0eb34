"""Speed: rows become sheets of lines, and sheets become sentences, tables, cliffs and exponents."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from zoo.report.board import Row
from zoo.report.tables import Text, TextTable

PHASES = {"train": "training", "infer": "inference"}
ASKED = ("lookback", "batch_size", "mode", "dtype", "device", "threads", "channels", "horizon", "normalise", "phase")
PLACE = ("machine", "device", "threads", "channels", "horizon", "normalise")  # what all lines of a sheet share
MOST_COLUMNS = 8  # batch sizes or lookbacks that a table has room for


@dataclass(frozen=True, eq=False)
class SpeedLine:
    """One variant with one set of parameters, mode and dtype: its rows by batch size, failed ones among them."""

    label: str
    is_baseline: bool
    form: tuple[str, str]
    cells: dict[int, Row]

    def rate(self, batch: int) -> float | None:
        """Windows a second at a batch size; None where it was not measured."""
        return value(self.cells.get(batch), "windows_per_second", "median")


@dataclass(frozen=True)
class Sheet:
    """The lines of one phase, lookback and place, fastest first; place names what else they share."""

    title: str
    phase: str
    lookback: int
    place: str
    lines: tuple[SpeedLine, ...]

    @property
    def pairs(self) -> int:
        """How many pairs of a variant and a batch size it has."""
        return len({(row["variant"], batch) for line in self.lines for batch, row in line.cells.items()})

    @property
    def common(self) -> list[int]:
        """The batch sizes that the most lines were asked for, of those at which anything was measured."""
        return _common(self.lines)

    @property
    def batches(self) -> list[int]:
        """Every batch size, or evenly chosen ones where a table has no room for all."""
        return thinned(sorted({batch for line in self.lines for batch in line.cells}), MOST_COLUMNS)


@dataclass(frozen=True)
class Cliff:
    """A bigger model that takes less time than its smaller neighbour in a sweep over one parameter."""

    label: str
    parameter: str
    smaller: Row
    bigger: Row

    @property
    def ratio(self) -> float:
        """The bigger one's step time in units of the smaller one's."""
        return float(self.bigger["step_seconds"]["median"] / self.smaller["step_seconds"]["median"])


@dataclass(frozen=True)
class Scaling:
    """How step time grows over batch_size or lookback: k of time ~ work^k over all values and the largest half."""

    label: str
    is_baseline: bool
    over: str
    rows: tuple[Row, ...]
    exponent: float
    exponent_of_half: float

    @property
    def half(self) -> tuple[Row, ...]:
        """The rows of the largest half of the sizes."""
        return self.rows[len(self.rows) // 2 :]


def value(row: Row | None, *names: str) -> Any:
    """A field of a row, or of the fields in it; None where anything on the way is missing."""
    found: Any = row
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def is_measured(row: Row) -> bool:
    """Whether a row holds a step time and what it makes in windows a second."""
    found = (value(row, "step_seconds", "median"), value(row, "windows_per_second", "median"))
    return row.get("error") is None and all(found)


def asked(row: Row) -> dict[str, Any]:
    """What the cell was asked to be, flat: all in which two rows can differ, the machine included."""
    params = {f"params.{name}": row["params"][name] for name in sorted(row["params"])}
    machine = value(row, "machine", "gpu") or value(row, "machine", "cpu")
    return {"variant": row["variant"], "machine": machine, **{name: row[name] for name in ASKED}, **params}


def labels(rows: Sequence[Row], without: str = "") -> dict[str, str]:
    """A label for each row's key: its variant, the parameters in which its namesakes differ, its mode and dtype.

    without: a parameter to leave out. Mode and dtype are named where rows differ in them, eager and float32 not.
    """
    settings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        settings.setdefault(row["variant"], []).append(row["params"])
    differing = {
        variant: [
            name
            for name in sorted({name for params in found for name in params} - {without})
            if len({_canonical(params.get(name)) for params in found}) > 1
        ]
        for variant, found in settings.items()
    }
    named = {
        name: len({row[name] for row in rows}) > 1 and {row[name] for row in rows} - {usual}
        for name, usual in (("mode", "eager"), ("dtype", "float32"))
    }
    found = {}
    for row in rows:
        shown = [f"{name}={row['params'].get(name)}" for name in differing[row["variant"]]]
        label = f"{row['variant']} ({', '.join(shown)})" if shown else str(row["variant"])
        forms = [row[name] for name, values in named.items() if values and row[name] in values]
        found[row["key"]] = ", ".join([label, *forms])
    return found


def cell_name(row: Row, names: dict[str, str]) -> str:
    """A row's label, phase, batch and lookback in words."""
    return f"{names[row['key']]}, {_at(row['phase'], row['batch_size'], row['lookback'])}"


def sheets(rows: Sequence[Row], names: dict[str, str] | None = None) -> list[Sheet]:
    """Rows of whole-number batch sizes, by place, then training before inference, then by lookback.

    names: labels by key, where they are to be those of more rows than these.
    """
    chosen = [row for row in rows if row["batch_size"] != "max"]
    names = labels(rows) if names is None else names
    grouped: dict[tuple[str, str, int], list[Row]] = {}
    for row in chosen:
        grouped.setdefault((_place(row), row["phase"], row["lookback"]), []).append(row)
    places = sorted({place for place, _, _ in grouped})
    shared = [json.loads(place) for place in places]
    differing = [name for name in PLACE if len({_canonical(place[name]) for place in shared}) > 1]
    order = sorted(grouped, key=lambda key: (key[0], key[1] != "train", key[2]))
    found = []
    for place, phase, lookback in order:
        extra = "".join(f", {name} {json.loads(place)[name]}" for name in differing)
        title = f"{PHASES[phase].capitalize()}, lookback {lookback}{extra}"
        found.append(Sheet(title, phase, lookback, place, _lines(grouped[place, phase, lookback], names)))
    return found


def fullest(found: Sequence[Sheet]) -> list[Sheet]:
    """The sheets with at least half as much as the fullest of their phase and place.

    Lookbacks with less were measured to see how cost grows, not to compare variants.
    """
    most: dict[tuple[str, str], int] = {}
    for sheet in found:
        most[sheet.place, sheet.phase] = max(most.get((sheet.place, sheet.phase), 0), sheet.pairs)
    return [sheet for sheet in found if 2 * sheet.pairs >= most[sheet.place, sheet.phase]]


def usual(rows: Sequence[Row]) -> list[Row]:
    """Rows of one set of parameters for each variant: those measured most, of several the one in the middle."""
    by_variant: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        by_variant.setdefault(row["variant"], {}).setdefault(_canonical(row["params"]), []).append(row)
    chosen = []
    for groups in by_variant.values():
        counts = {params: sum(map(is_measured, group)) for params, group in groups.items()}
        most = [params for params, count in counts.items() if count == max(counts.values())]
        chosen += groups[_middle(sorted(most, key=lambda params: (_parameters(groups[params]), params)))]
    return chosen


def main_form(rows: Sequence[Row]) -> tuple[str, str]:
    """The mode and dtype that others are compared with: eager float32 where it is there, else the most frequent."""
    counts = Counter((row["mode"], row["dtype"]) for row in rows)
    return max(counts, key=lambda form: (form == ("eager", "float32"), counts[form]))


def main_sheet(found: Sequence[Sheet]) -> tuple[Sheet, int] | None:
    """Of sheets of one phase and place, the middle lookback of the fullest, and its middle batch size."""
    known = fullest([sheet for sheet in found if sheet.common])
    if not known:
        return None
    return _middle(known), _middle(_middle(known).common)


def speed_verdict(rows: Sequence[Row]) -> list[str]:
    """Which variant is fastest, by how much and at what cost: sentences computed from the rows."""
    all_sheets = sheets(usual(rows), labels(rows))
    sentences = []
    for place in dict.fromkeys(sheet.place for sheet in all_sheets):
        here = [sheet for sheet in all_sheets if sheet.place == place]
        form = main_form([row for sheet in here for line in sheet.lines for row in line.cells.values()])
        for phase in PHASES:
            chosen = main_sheet([sheet for sheet in here if sheet.phase == phase])
            if chosen is not None:
                sheet, batch = chosen
                lines = [line for line in sheet.lines if line.form == form]
                sentences += _fastest(sheet, lines, batch)
                sentences += _latency(sheet, lines) if phase == "infer" else _cost(sheet, lines, batch)
    sentences += [*_forms(rows), *cliff_sentences(rows, 1)[:1]]
    failed = sum(not is_measured(row) for row in rows)
    if failed:
        sentences.append(f"{failed} cells failed and are not counted." if failed > 1 else "1 cell failed, not counted.")
    return sentences or ["No cell was measured."]


def throughput_table(sheet: Sheet) -> TextTable:
    """Windows a second of each line at each batch size; the fastest that is no baseline is bold."""
    best = {
        batch: max((line.rate(batch) or 0.0 for line in sheet.lines if not line.is_baseline), default=0.0)
        for batch in sheet.batches
    }
    rows = []
    for line in sheet.lines:
        count = _parameters(line.cells.values())
        cells = [Text(line.label), Text("-" if count < 0 else f"{count:,}")]
        for batch in sheet.batches:
            is_best = not line.is_baseline and line.rate(batch) == best[batch]
            cells.append(Text(_rate(line.cells.get(batch)), is_best))
        rows.append(tuple(cells))
    header = ("variant", "parameters", *(f"batch {batch:,}" for batch in sheet.batches))
    return TextTable(header, tuple(rows), tuple(line.is_baseline for line in sheet.lines))


def lookback_table(found: Sequence[Sheet]) -> TextTable | None:
    """Windows a second of each line and batch size over the lookbacks of some sheets; None without any."""
    lookbacks = thinned([sheet.lookback for sheet in found], MOST_COLUMNS)
    rows: dict[tuple[str, int], dict[int, Row]] = {}
    baseline = {}
    for sheet in found:
        for line in sheet.lines:
            for batch, row in line.cells.items():
                rows.setdefault((line.label, batch), {})[sheet.lookback] = row
                baseline[line.label, batch] = line.is_baseline
    texts = tuple(
        (Text(label), Text(f"{batch:,}"), *(Text(_rate(rows[label, batch].get(lookback))) for lookback in lookbacks))
        for label, batch in sorted(rows)
    )
    header = ("variant", "batch", *(f"lookback {lookback:,}" for lookback in lookbacks))
    return TextTable(header, texts, tuple(baseline[key] for key in sorted(rows))) if rows else None


def cost_table(sheet: Sheet, batch: int) -> TextTable:
    """What a step at one batch size costs and how near it comes to the ceiling; columns without a value are left out.

    For inference with the latency of one forecast, for training with the parts of a step.
    """
    lines = [line for line in sheet.lines if batch in line.cells]
    rows = []
    for line in lines:
        row, single = line.cells[batch], line.cells.get(1)
        if sheet.phase == "infer":
            own = {f"{p} ms": short(value(single, "latency_seconds", p), 1e3) for p in ("p50", "p95", "p99")}
        else:
            parts = value(row, "part_seconds") or {}
            total = sum(part or 0.0 for part in parts.values()) or None
            own = {f"{p} %": short(_share(parts.get(p), total), 100) for p in ("forward", "backward", "optimizer")}
        rows.append(
            {
                "variant": line.label,
                "ms/step": short(row["step_seconds"]["median"], 1e3) + _marks(row) if is_measured(row) else "failed",
                "± %": short(_half_width(row), 100),
                **own,
                "peak MB": short(value(row, "peak_memory_bytes"), 1e-6),
                "kFLOP/window": short(value(row, "flops_per_window"), 1e-3),
                "GFLOP/s": short(value(row, "flops_per_second"), 1e-9),
                "ceiling %": short(value(row, "ceiling_share"), 100),
            }
        )
    header = [name for name in rows[0] if name == "variant" or any(row[name] != "-" for row in rows)]
    texts = tuple(tuple(Text(row[name]) for name in header) for row in rows)
    return TextTable(tuple(header), texts, tuple(line.is_baseline for line in lines))


def expected_path(row: Row) -> tuple[str, str]:
    """The algorithms expected forward and backward, a dash where there is none; modules named where they differ."""
    modules = row.get("algorithm_expected") or {}

    def told(direction: str) -> str:
        found = {name: path.get(direction) for name, path in modules.items() if path.get(direction)}
        if len(set(found.values())) == 1:
            return str(next(iter(found.values())))
        return ", ".join(f"{name.removeprefix('variant.')} {path}" for name, path in found.items()) or "-"

    return told("forward"), told("backward")


def path_changes(before: Row, after: Row) -> list[tuple[str, str, str]]:
    """The direction, the path before and the path after, where what is expected differs."""
    pairs = zip(("forward", "backward"), expected_path(before), expected_path(after), strict=True)
    return [(direction, old, new) for direction, old, new in pairs if old != new]


def sweeps(rows: Sequence[Row], name: str, at_least: int) -> list[list[Row]]:
    """Measured rows that differ in one name of `asked` only, in its order; those with enough values."""
    grouped: dict[str, dict[int, Row]] = {}
    for row in rows:
        settings = asked(row)
        swept = settings.pop(name, None)
        if is_measured(row) and row["batch_size"] != "max" and isinstance(swept, int) and not isinstance(swept, bool):
            grouped.setdefault(_canonical(settings), {})[swept] = row
    return [[group[size] for size in sorted(group)] for group in grouped.values() if len(group) >= at_least]


def parameter_sweeps(rows: Sequence[Row]) -> dict[str, list[list[Row]]]:
    """By parameter, the sweeps over it: at least three sizes of a variant, all else equal."""
    parameters = sorted({name for row in rows for name in row["params"]})
    found = {name: sweeps(rows, f"params.{name}", 3) for name in parameters}
    return {name: swept for name, swept in found.items() if swept}


def cliffs(rows: Sequence[Row]) -> list[Cliff]:
    """Where a bigger model is faster than its smaller neighbour by more than both intervals, largest gain first."""
    found = []
    for name, swept in parameter_sweeps(rows).items():
        names = labels(rows, without=name)
        for group in swept:
            for smaller, bigger in pairwise(group):
                low, high = value(smaller, "step_seconds", "low"), value(bigger, "step_seconds", "high")
                is_bigger = (bigger.get("parameter_count") or 0) > (smaller.get("parameter_count") or 0)
                if is_bigger and low is not None and high is not None and high < low:
                    found.append(Cliff(names[bigger["key"]], name, smaller, bigger))
    return sorted(found, key=lambda cliff: (cliff.ratio, cliff.label))


def cliff_sentences(rows: Sequence[Row], most: int = 10) -> list[str]:
    """The largest cliffs in words, or that there are none; nothing where no parameter was swept."""
    swept = parameter_sweeps(rows)
    if not swept:
        return []
    found = cliffs(rows)
    if not found:
        ranges = []
        for name, groups in swept.items():
            sizes = sorted({row["params"][name] for group in groups for row in group})
            ranges.append(f"{name} {sizes[0]}-{sizes[-1]} ({len(sizes)} values)")
        return [
            f"No cliff: over {', '.join(ranges)} no model is faster than its next smaller one beyond the intervals."
        ]
    sentences = []
    for cliff in found[:most]:
        name, small, big = cliff.parameter, cliff.smaller, cliff.bigger
        times = [short(row["step_seconds"]["median"], 1e3) for row in (big, small)]
        paths = [f"; its {way} path changes from {old} to {new}" for way, old, new in path_changes(small, big)]
        sentences.append(
            f"{cliff.label}: {name} {big['params'][name]} takes {cliff.ratio:.2f} of the time of "
            f"{small['params'][name]} ({times[0]} against {times[1]} ms a step) in "
            f"{_at(big['phase'], big['batch_size'], big['lookback'])}{''.join(paths)}."
        )
    if len(found) > most:
        sentences.append(f"{len(found) - most} more with smaller gains are not listed.")
    return sentences


def scalings(rows: Sequence[Row]) -> list[Scaling]:
    """Exponents over batch size and over lookback, wherever at least four were measured: see `usual`."""
    names = labels(rows)
    found = []
    for over in ("batch_size", "lookback"):
        for group in sweeps(usual(rows), over, 4):
            half = group[len(group) // 2 :]
            label, is_baseline = names[group[0]["key"]], "baseline" in group[0]["tags"]
            found.append(Scaling(label, is_baseline, over, tuple(group), _exponent(group, over), _exponent(half, over)))
    return found


def scaling_table(found: Sequence[Scaling], over: str) -> TextTable | None:
    """Exponents over batch_size or lookback, a line for each variant and fixed other; None without any."""
    fixed = "lookback" if over == "batch_size" else "batch_size"
    chosen = [scaling for scaling in found if scaling.over == over]
    lines: dict[tuple[int, str, str], dict[str, Scaling]] = {}
    for scaling in chosen:
        row = scaling.rows[0]
        lines.setdefault((row[fixed], scaling.label, _place(row)), {})[row["phase"]] = scaling
    if not lines:
        return None
    phases = [phase for phase in PHASES if any(phase in line for line in lines.values())]
    header = ["variant", fixed.replace("_size", "")]
    header += [f"{PHASES[phase]}{part}" for phase in phases for part in (": k", ": k, largest half")]
    rows = []
    for (size, label, _), line in sorted(lines.items()):
        cells = [Text(label), Text(f"{size:,}")]
        for phase in phases:
            of_phase = line.get(phase)
            cells.append(Text("-" if of_phase is None else _ranged(of_phase.exponent, of_phase.rows, over)))
            cells.append(Text("-" if of_phase is None else _ranged(of_phase.exponent_of_half, of_phase.half, over)))
        rows.append(tuple(cells))
    is_baseline = tuple(next(iter(line.values())).is_baseline for _, line in sorted(lines.items()))
    return TextTable(tuple(header), tuple(rows), is_baseline)


def speed_summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sheets as plain values for JSON: each line's figures at each batch size, errors among them."""
    fields = (
        "batch_measured", "windows_per_second", "step_seconds", "is_settled", "latency_seconds", "part_seconds",
        "peak_memory_bytes", "parameter_count", "flops_per_window", "flops_per_second", "ceiling_share", "fallback",
        "graph_breaks", "search", "error",
    )  # fmt: skip
    names = labels(rows)
    grouped: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        grouped.setdefault((_place(row), row["phase"], row["lookback"]), []).append(row)
    return [
        {
            **json.loads(place),
            "phase": phase,
            "lookback": lookback,
            "cells": [
                {
                    "label": names[row["key"]],
                    **{name: row[name] for name in ("variant", "tags", "params", "mode", "dtype", "batch_size")},
                    **{name: row.get(name) for name in fields},
                }
                for row in group
            ],
        }
        for (place, phase, lookback), group in grouped.items()
    ]


def short(number: float | None, scale: float = 1.0) -> str:
    """A number with three digits that count and thousands apart; a dash for none."""
    if number is None:
        return "-"
    scaled = float(f"{number * scale:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(scaled)))) if scaled else 0
    return f"{scaled:,.{decimals}f}"


def thinned(values: Sequence[int], most: int) -> list[int]:
    """At most so many of the values, evenly chosen, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def _lines(rows: Sequence[Row], names: dict[str, str]) -> tuple[SpeedLine, ...]:
    """One line for all that differs in nothing but batch size, the fastest at the largest common batch first."""
    grouped: dict[str, dict[int, Row]] = {}
    for row in rows:
        settings = asked(row)
        del settings["batch_size"]
        grouped.setdefault(_canonical(settings), {})[row["batch_size"]] = row
    lines = []
    for cells in grouped.values():
        first = next(iter(cells.values()))
        form = (first["mode"], first["dtype"])
        lines.append(SpeedLine(names[first["key"]], "baseline" in first["tags"], form, cells))
    batches = _common(lines)
    return tuple(sorted(lines, key=lambda line: (-(line.rate(batches[-1]) or 0.0) if batches else 0.0, line.label)))


def _common(lines: Sequence[SpeedLine]) -> list[int]:
    counts = Counter(batch for line in lines for batch in line.cells)
    measured = {batch: n for batch, n in counts.items() if any(line.rate(batch) is not None for line in lines)}
    return sorted(batch for batch, count in measured.items() if count == max(measured.values()))


def _place(row: Row) -> str:
    settings = asked(row)
    return _canonical({name: settings[name] for name in PLACE})


def _fastest(sheet: Sheet, lines: Sequence[SpeedLine], batch: int) -> list[str]:
    ranked = [line for line in lines if line.rate(batch) is not None]
    ranked.sort(key=lambda line: -(line.rate(batch) or 0.0))
    others = [line for line in ranked if not line.is_baseline]
    if not ranked:
        return []
    if len(ranked) == 1:
        return [f"{_title(sheet, batch)}: {ranked[0].label} reaches {ranked[0].rate(batch):,.0f} windows/s."]
    sentence = ""
    if ranked[0].is_baseline:
        sentence = f"{ranked[0].label} is fastest with {_lead(ranked[:2], batch)}. "
        if others:
            sentence += "Of the variants that are not baselines, "
    if others:
        sentence += f"{others[0].label} is fastest with {_lead(others, batch)}."
    return [f"{_title(sheet, batch)}: {sentence.strip()}"]


def _lead(ranked: Sequence[SpeedLine], batch: int) -> str:
    """The first one's windows a second, and how many times the next one's and the slowest one's they are."""
    first = ranked[0].rate(batch) or 0.0
    text = f"{first:,.0f} windows/s"
    if len(ranked) > 1:
        times = _times(first, ranked[1].rate(batch))
        ours, theirs = (line.cells[batch].get("step_seconds") or {} for line in ranked[:2])
        if ours.get("high") is not None and theirs.get("low") is not None and theirs["low"] <= ours["high"]:
            text += f", level with {ranked[1].label} within their intervals"
        else:
            text += f", {times} times that of {ranked[1].label}"
    if len(ranked) > 2:
        text += f" and {_times(first, ranked[-1].rate(batch))} times that of the slowest, {ranked[-1].label}"
    return text


def _latency(sheet: Sheet, lines: Sequence[SpeedLine]) -> list[str]:
    p50 = {line: value(line.cells.get(1), "latency_seconds", "p50") for line in lines}
    text, note = _from_to(p50, 1e3, "ms")
    where = sheet.title.split(", ", 1)[1]
    return [f"One forecast at a time (batch 1, {where}) takes {text} at the median{note}."] if text else []


def _cost(sheet: Sheet, lines: Sequence[SpeedLine], batch: int) -> list[str]:
    held, note = _from_to({x: value(x.cells.get(batch), "peak_memory_bytes") for x in lines}, 1e-6, "MB")
    reached, other = _from_to({x: value(x.cells.get(batch), "ceiling_share") for x in lines}, 100, "%")
    parts = [f"holds {held} at its peak"] if held else []
    parts += [f"reaches {reached} of the speed that the measured ceilings allow"] if reached else []
    where = _title(sheet, batch)
    return [f"A step of {where[:1].lower()}{where[1:]} {' and '.join(parts)}{note or other}."] if parts else []


def _from_to(found: dict[SpeedLine, float | None], scale: float, unit: str) -> tuple[str, str]:
    """The least and the most in words, of lines that are no baselines where there are any, and a note on that."""
    known = {line: number for line, number in found.items() if number is not None}
    chosen = {line: number for line, number in known.items() if not line.is_baseline} or known
    if not chosen:
        return "", ""
    least, most = min(chosen, key=lambda line: chosen[line]), max(chosen, key=lambda line: chosen[line])
    is_one = len(chosen) == 1 or chosen[least] != chosen[most]
    text = f"{short(chosen[least], scale)} {unit} with {least.label if is_one else 'each'}"
    if chosen[least] != chosen[most]:
        text += f" to {short(chosen[most], scale)} {unit} with {most.label}"
    return text, " (baselines left out)" if len(chosen) < len(known) else ""


def _forms(rows: Sequence[Row]) -> list[str]:
    """What another mode or dtype changes, cell by cell against the main one."""
    measured = [row for row in rows if is_measured(row) and row["batch_size"] != "max" and not row.get("fallback")]
    if not measured:
        return []
    main = main_form(measured)
    by_cell: dict[str, dict[tuple[str, str], Row]] = {}
    for row in measured:
        settings = {name: given for name, given in asked(row).items() if name not in ("mode", "dtype")}
        by_cell.setdefault(_canonical(settings), {})[row["mode"], row["dtype"]] = row
    sentences = []
    for form in sorted({(row["mode"], row["dtype"]) for row in measured} - {main}):
        parts = []
        for phase, word in PHASES.items():
            ratios = [
                cell[main]["step_seconds"]["median"] / cell[form]["step_seconds"]["median"]
                for cell in by_cell.values()
                if main in cell and form in cell and cell[main]["phase"] == phase
            ]
            if ratios:
                parts.append(
                    f"{word} {statistics.median(ratios):.2f} times as fast at the median of {len(ratios)} "
                    f"cell{'s' * (len(ratios) != 1)} ({min(ratios):.2f} to {max(ratios):.2f})"
                )
        if parts:
            pairs = [(ours, theirs) for ours, theirs in zip(form, main, strict=True) if ours != theirs]
            names = [" ".join(part) for part in zip(*pairs, strict=True)]
            sentences.append(f"{names[0]} against {names[1]}: {', '.join(parts)}.")
    return sentences


def _title(sheet: Sheet, batch: int) -> str:
    return sheet.title.replace(", lookback", f" at batch {batch:,}, lookback", 1)


def _at(phase: str, batch: int | str, lookback: int) -> str:
    return f"{PHASES[phase]} at batch {batch}, lookback {lookback}"


def _rate(row: Row | None) -> str:
    if row is None:
        return "-"
    found = value(row, "windows_per_second", "median")
    return "failed" if found is None else f"{found:,.0f}{_marks(row)}"


def _marks(row: Row | None) -> str:
    """A tilde where the measurement did not settle, a dagger where another mode than asked for was measured."""
    if row is None or not is_measured(row):
        return ""
    return "~" * (row.get("is_settled") is False) + "†" * bool(row.get("fallback"))


def _half_width(row: Row | None) -> float | None:
    low, high, median = (value(row, "step_seconds", name) for name in ("low", "high", "median"))
    return None if low is None or high is None or not median else float((high - low) / 2 / median)


def _parameters(rows: Iterable[Row]) -> int:
    """How many parameters the model of these rows has; -1 where none was built."""
    return next((row["parameter_count"] for row in rows if row.get("parameter_count") is not None), -1)


def _share(part: float | None, total: float | None) -> float | None:
    return None if part is None or not total else part / total


def _times(faster: float, slower: float | None) -> str:
    return short(faster / slower) if slower else "-"


def _exponent(rows: Sequence[Row], over: str) -> float:
    work = [math.log(row[over]) for row in rows]
    return statistics.linear_regression(work, [math.log(row["step_seconds"]["median"]) for row in rows]).slope


def _ranged(exponent: float, rows: Sequence[Row], over: str) -> str:
    return f"{exponent:.2f} ({rows[0][over]}-{rows[-1][over]})"


def _middle(values: Sequence[Any]) -> Any:
    return values[len(values) // 2]


def _canonical(thing: Any) -> str:
    return json.dumps(thing, sort_keys=True)
