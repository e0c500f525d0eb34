"""What tuning gained: each variant's tuned line beside its default one, paired seed by seed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zoo.report.board import MIN_SEEDS, ROUNDING, Board, Line, Spread, spread_of

RANGES = "tuning.study.ranges"


@dataclass(frozen=True, eq=False)
class Gain:
    """A tuned line, the default line of its variant (None where it has none), and tuned minus default skill over the
    seeds that both have."""

    tuned: Line
    default: Line | None
    gain: Spread | None

    @property
    def is_same(self) -> bool:
        """Whether tuning ended where it began: nothing it tried was better on validation."""
        return self.default is not None and self.tuned.settings == self.default.settings

    @property
    def unsearched(self) -> dict[str, tuple[Any, Any]]:
        """Training settings that were not searched and yet differ, as (tuned, default): the gain is theirs too."""
        if self.default is None:
            return {}
        after, before = self.tuned.settings, self.default.settings
        names = [name for name in after if name.startswith("fit.") and name not in self.tuned.first[RANGES]]
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


def gains(board: Board) -> list[Gain]:
    """One for each tuned line of a board, in the board's order."""
    pairs = []
    for tuned in (line for line in board.lines if line.is_tuned):
        default = next((line for line in board.lines if line.variant == tuned.variant and not line.is_tuned), None)
        pairs.append(Gain(tuned, default, _paired(tuned, default)))
    return pairs


def _paired(tuned: Line, default: Line | None) -> Spread | None:
    if default is None or tuned.runs.empty or default.runs.empty:
        return None
    both = tuned.runs.merge(default.runs, on="seed")
    return spread_of(both["skill_x"].astype(float) - both["skill_y"].astype(float))


def tuning_verdict(board: Board) -> list[str]:
    """Sentences on what tuning did to skill; none where nothing is tuned."""
    judged = [gain for gain in gains(board) if gain.gain is not None]
    if not judged:
        return []
    same = [gain for gain in judged if gain.is_same]
    unknown = [gain for gain in judged if not gain.is_known and gain not in same]
    unclear = [gain for gain in judged if gain not in (*same, *unknown) and not gain.is_more_than_noise]
    clear = [gain for gain in judged if gain not in same and gain.is_more_than_noise]
    parts = []
    for verb, sign in (("raised", 1), ("lowered", -1)):
        for beyond, kind in ((" beyond the spread over seeds", False), ("", True)):
            some = [g for g in clear if g.gain and g.gain.mean * sign > 0 and g.tuned.is_deterministic is kind]
            if some:
                names = ", ".join(f"{gain.tuned.variant} ({points(gain.gain)} points)" for gain in some)
                parts.append(f"{verb} the skill of {names}{beyond}")
    if unclear:
        parts.append(f"made no difference beyond the spread over seeds for {_names(unclear)}")
    if same:
        parts.append(f"found nothing better than the default settings for {_names(same)}")
    if unknown:
        parts.append(f"cannot be judged with fewer than {MIN_SEEDS} seeds for {_names(unknown)}")
    sentences = [f"Tuning on validation {'; it '.join(parts)}."]
    for gain in judged:
        if gain.unsearched:
            shown = ", ".join(
                f"{name} {after} instead of {before}" for name, (after, before) in gain.unsearched.items()
            )
            sentences.append(
                f"Tuned {gain.tuned.variant} also trains with settings that were not searched ({shown}): its gain is "
                "not tuning's alone."
            )
    return sentences


def _names(group: Iterable[Gain]) -> str:
    return ", ".join(gain.tuned.variant for gain in group)


def points(gain: Spread | None) -> str:
    """A difference of skills in percentage points, ± its standard deviation."""
    if gain is None:
        return "-"
    text = f"{round(100 * gain.mean, 2) + 0.0:+.2f}"
    return text if gain.deviation is None else f"{text} ± {100 * gain.deviation:.2f}"
