"""What tuning bought: each variant's tuned line beside its default one, paired seed by seed."""

from dataclasses import dataclass
from typing import Any

from zoo.report.board import MIN_SEEDS, ROUNDING, Board, Line, Spread, settings_of, spread_of


@dataclass(frozen=True)
class Gain:
    """A tuned line, the default line of its variant (None where it is not there), and tuned minus default
    skill over the seeds that both have."""

    tuned: Line
    default: Line | None
    gain: Spread | None

    @property
    def is_same(self) -> bool:
        """Whether tuning ended where it began: nothing it tried was better on validation."""
        return self.default is not None and settings_of(self.tuned.first) == settings_of(self.default.first)

    @property
    def held(self) -> dict[str, tuple[Any, Any]]:
        """Training settings that were not searched and yet differ, as (tuned, default): the gain is theirs too."""
        if self.default is None or self.tuned.tuning is None:
            return {}
        after, before = settings_of(self.tuned.first), settings_of(self.default.first)
        searched = self.tuned.tuning["study"]["ranges"]
        return {
            name: (after[name], before.get(name))
            for name in after
            if name.startswith("fit.") and name not in searched and after[name] != before.get(name)
        }

    @property
    def is_known(self) -> bool:
        """Whether there are seeds enough to tell the gain from chance; what has no chance needs none."""
        return self.gain is not None and (self.tuned.is_deterministic or self.gain.count >= MIN_SEEDS)

    @property
    def is_more_than_noise(self) -> bool:
        """Whether the mean gain, up or down, exceeds its spread over seeds, and rounding."""
        if self.gain is None or not self.is_known:
            return False
        return abs(self.gain.mean) > max(ROUNDING, self.gain.deviation or 0.0)


def gains(board: Board) -> list[Gain]:
    """One for each tuned line of a board, in the board's order."""
    found = []
    for tuned in (line for line in board.lines if line.tuning is not None):
        default = next((line for line in board.lines if line.variant == tuned.variant and line.tuning is None), None)
        found.append(Gain(tuned, default, _paired(tuned, default)))
    return found


def _paired(tuned: Line, default: Line | None) -> Spread | None:
    if default is None:
        return None
    before = {row["seed"]: row["metrics"]["skill"] for row in default.rows}
    after = {row["seed"]: row["metrics"]["skill"] for row in tuned.rows}
    pairs = [(after[seed], before[seed]) for seed in after if seed in before]
    return spread_of(None if None in pair else pair[0] - pair[1] for pair in pairs)


def tuning_verdict(board: Board) -> list[str]:
    """Sentences on what tuning did to skill; none where nothing is tuned."""
    found = [gain for gain in gains(board) if gain.gain is not None]
    if not found:
        return []
    same = [gain for gain in found if gain.is_same]
    unknown = [gain for gain in found if not gain.is_known and gain not in same]
    rest = [gain for gain in found if gain not in (*same, *unknown) and not gain.is_more_than_noise]
    clear = [gain for gain in found if gain not in same and gain.is_more_than_noise]
    parts = []
    for verb, sign in (("raised", 1), ("lowered", -1)):
        for beyond, kind in ((" beyond the spread over seeds", False), ("", True)):
            some = [g for g in clear if g.gain and g.gain.mean * sign > 0 and g.tuned.is_deterministic is kind]
            if some:
                names = ", ".join(f"{gain.tuned.variant} ({points(gain.gain)} points)" for gain in some)
                parts.append(f"{verb} the skill of {names}{beyond}")
    if rest:
        parts.append(f"made no difference beyond the spread over seeds for {_listed(rest)}")
    if same:
        parts.append(f"found nothing better than the default settings for {_listed(same)}")
    if unknown:
        parts.append(f"cannot be judged with fewer than {MIN_SEEDS} seeds for {_listed(unknown)}")
    sentences = [f"Tuning on validation {'; it '.join(parts)}."]
    for gain in found:
        if gain.held:
            shown = ", ".join(f"{name} {after} for {before}" for name, (after, before) in gain.held.items())
            sentences.append(
                f"Tuned {gain.tuned.variant} also trains with settings that were not searched ({shown}): its gain is "
                "not tuning's alone."
            )
    return sentences


def _listed(found: list[Gain]) -> str:
    return ", ".join(gain.tuned.variant for gain in found)


def points(gain: Spread | None) -> str:
    """A difference of skills in percentage points, ± its standard deviation."""
    if gain is None:
        return "-"
    text = f"{round(100 * gain.mean, 2) + 0.0:+.2f}"
    return text if gain.deviation is None else f"{text} ± {100 * gain.deviation:.2f}"
