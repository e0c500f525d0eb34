"""The verdict: which variant is fastest, by how much and at what cost."""

import statistics
from collections.abc import Sequence

from zoo.report.board import Row
from zoo.speed.report.rows import asked, canonical, is_measured, labels, main_form, usual, value
from zoo.speed.report.sheets import Sheet, SpeedLine, main_sheet, sheets
from zoo.speed.report.trends import cliff_sentences
from zoo.speed.report.words import PHASES, plural, short


def speed_verdict(rows: Sequence[Row]) -> list[str]:
    """Which variant is fastest, by how much and at what cost: sentences computed from the rows."""
    all_sheets = sheets(usual(rows), labels(rows))
    sentences = []
    for place in dict.fromkeys(sheet.place for sheet in all_sheets):
        here = [sheet for sheet in all_sheets if sheet.place == place]
        form = main_form([row for sheet in here for row in sheet.rows])
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


def _fastest(sheet: Sheet, lines: Sequence[SpeedLine], batch: int) -> list[str]:
    ranked = sorted((line for line in lines if line.rate(batch)), key=lambda line: -(line.rate(batch) or 0.0))
    others = [line for line in ranked if not line.is_baseline]
    start = f"{PHASES[sheet.phase].capitalize()} at batch {batch:,}, {sheet.where}"
    if len({line.form for line in sheet.lines}) > 1:
        start += f", {' '.join(lines[0].form)}"
    if not ranked:
        return []
    if len(ranked) == 1:
        return [f"{start}: {ranked[0].label} reaches {ranked[0].rate(batch):,.0f} windows/s."]
    sentence = ""
    if ranked[0].is_baseline:
        sentence = f"{ranked[0].label} is fastest with {_lead(ranked[:2], batch)}. "
        if others:
            sentence += "Of the variants that are not baselines, "
    if others:
        sentence += f"{others[0].label} is fastest with {_lead(others, batch)}."
    return [f"{start}: {sentence.strip()}"]


def _lead(ranked: Sequence[SpeedLine], batch: int) -> str:
    """The first one's windows a second, and how many times the next one's and the slowest one's they are."""
    rates = [rate for line in ranked if (rate := line.rate(batch))]
    text = f"{rates[0]:,.0f} windows/s"
    if len(ranked) > 1:
        ours, theirs = (line.cells[batch].get("step_seconds") or {} for line in ranked[:2])
        if ours.get("high") is not None and theirs.get("low") is not None and theirs["low"] <= ours["high"]:
            text += f", level with {ranked[1].label} within their intervals"
        else:
            text += f", {short(rates[0] / rates[1])} times that of {ranked[1].label}"
    if len(ranked) > 2:
        text += f" and {short(rates[0] / rates[-1])} times that of the slowest, {ranked[-1].label}"
    return text


def _latency(sheet: Sheet, lines: Sequence[SpeedLine]) -> list[str]:
    p50 = {line: value(line.cells.get(1), "latency_seconds", "p50") for line in lines}
    text, note = _from_to(p50, 1e3, "ms")
    return [f"One forecast at a time (batch 1, {sheet.where}) takes {text} at the median{note}."] if text else []


def _cost(sheet: Sheet, lines: Sequence[SpeedLine], batch: int) -> list[str]:
    held, note = _from_to({x: value(x.cells.get(batch), "peak_memory_bytes") for x in lines}, 1e-6, "MB")
    reached, other = _from_to({x: value(x.cells.get(batch), "ceiling_share") for x in lines}, 100, "%")
    parts = [f"holds {held} at its peak"] if held else []
    parts += [f"reaches {reached} of the speed that the measured ceilings allow"] if reached else []
    where = f"{PHASES[sheet.phase]} at batch {batch:,}, {sheet.where}"
    return [f"A step of {where} {' and '.join(parts)}{note or other}."] if parts else []


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
        by_cell.setdefault(canonical(settings), {})[row["mode"], row["dtype"]] = row
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
                    f"{word} {statistics.median(ratios):.2f} times as fast at the median of "
                    f"{plural(len(ratios), 'cell')} ({min(ratios):.2f} to {max(ratios):.2f})"
                )
        if parts:
            pairs = [(ours, theirs) for ours, theirs in zip(form, main, strict=True) if ours != theirs]
            names = [" ".join(part) for part in zip(*pairs, strict=True)]
            sentences.append(f"{names[0]} against {names[1]}: {', '.join(parts)}.")
    return sentences
