"""What tuning gained: each variant's tuned line beside its default one, paired seed by seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.report.board import MIN_SEEDS, ROUNDING, Board, Line, Spread, spread_of, value_of
from zoo.report.tables import figure, skill_percent, tuning_seconds
from zoo.report.text_table import Text, TextTable, table_of

OUTCOMES = {
    "raised": "raised the skill of {}",
    "lowered": "lowered the skill of {}",
    "unclear": "made no difference beyond the spread over seeds for {}",
    "same": "found nothing better than the default settings for {}",
    "unknown": f"cannot be judged with fewer than {MIN_SEEDS} seeds for {{}}",
}


@dataclass(frozen=True, eq=False)
class Gain:
    """A tuned line, the default line of its variant (None where it has none), and tuned minus default skill over the
    seeds that both have."""

    tuned: Line
    default: Line | None
    gain: Spread | None

    @property
    def unsearched(self) -> dict[str, tuple[Any, Any]]:
        """Training settings that were not searched and yet differ, as (tuned, default): the gain is theirs too."""
        if self.default is None:
            return {}
        after, before = self.tuned.settings, self.default.settings
        ranges = self.tuned.first["tuning.study.ranges"]
        names = [name for name in after if name.startswith("fit.") and name not in ranges]
        return {name: (after[name], before.get(name)) for name in names if after[name] != before.get(name)}

    @property
    def is_known(self) -> bool:
        """Whether there are enough seeds to set the gain apart from chance; what has no chance needs none."""
        return self.gain is not None and (self.tuned.is_deterministic or self.gain.count >= MIN_SEEDS)

    @property
    def is_more_than_noise(self) -> bool:
        """Whether the mean gain, up or down, exceeds its spread over seeds, and rounding."""
        if self.gain is None or not self.is_known:
            return False
        return abs(self.gain.mean) > max(ROUNDING, self.gain.deviation or 0.0)

    @property
    def outcome(self) -> str:
        """One of OUTCOMES, "" without a gain."""
        if self.gain is None or self.default is None:
            return ""
        if self.tuned.settings == self.default.settings:
            return "same"
        if self.is_more_than_noise:
            return "raised" if self.gain.mean > 0 else "lowered"
        return "unclear" if self.is_known else "unknown"


def gains(board: Board) -> list[Gain]:
    """One for each tuned line of a board, in the board's order."""
    pairs = []
    for tuned in board.tuned:
        default = next((line for line in board.lines if line.variant == tuned.variant and not line.is_tuned), None)
        pairs.append(Gain(tuned, default, _paired(tuned, default)))
    return pairs


def _paired(tuned: Line, default: Line | None) -> Spread | None:
    if default is None or tuned.runs.empty or default.runs.empty:
        return None
    both = tuned.runs.merge(default.runs, on="seed")
    return spread_of(both["skill_x"].astype(float) - both["skill_y"].astype(float))


def tuning_table(board: Board) -> TextTable | None:
    """Default and tuned skill side by side, the gain, and what tuning cost; None where nothing is tuned."""
    lines: list[Mapping[str, str | Text]] = [
        {
            "variant": gain.tuned.variant,
            "default skill %": skill_percent(gain.default) if gain.default is not None else "-",
            "tuned skill %": skill_percent(gain.tuned),
            "gain": Text(_points(gain.gain), gain.is_more_than_noise),
            **{name: str(value_of(gain.tuned.first, f"tuning.cost.{name}")) for name in ("trials", "pruned", "failed")},
            "tuning s": tuning_seconds(gain.tuned),
        }
        for gain in gains(board)
    ]
    return table_of(lines, [line.is_baseline for line in board.tuned]) if lines else None


def tuning_verdict(board: Board) -> list[str]:
    """Sentences on what tuning did to skill; none where nothing is tuned."""
    pairs = [gain for gain in gains(board) if gain.outcome]
    parts = []
    for outcome, text in OUTCOMES.items():
        chosen = [gain for gain in pairs if gain.outcome == outcome]
        names = [gain.tuned.variant for gain in chosen]
        if outcome in ("raised", "lowered"):
            names = [f"{gain.tuned.variant} ({_points(gain.gain)} points)" for gain in chosen]
        if names:
            parts.append(text.format(", ".join(names)))
    sentences = [f"Tuning {'; it '.join(parts)}."] if parts else []
    for gain in pairs:
        if gain.unsearched:
            changes = [f"{name} {after} instead of {before}" for name, (after, before) in gain.unsearched.items()]
            sentences.append(
                f"Tuned {gain.tuned.variant} also trains with settings that were not searched ({', '.join(changes)}): "
                "its gain is not tuning's alone."
            )
    return sentences


def _points(gain: Spread | None) -> str:
    """A difference of skills in percentage points."""
    return figure(gain.percent if gain is not None else None, decimals=2, sign=True)
