"""What tuning bought: each variant's tuned line beside its default one, paired seed by seed."""

from dataclasses import dataclass

from zoo.report.board import MIN_SEEDS, Board, Line, Spread, settings_of, spread_of


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
    def is_more_than_noise(self) -> bool:
        """Whether the mean gain, up or down, exceeds its spread over seeds (where it has one)."""
        if self.gain is None or self.gain.mean == 0:
            return False
        if self.tuned.is_deterministic:
            return True
        known = self.gain.deviation is not None and self.gain.count >= MIN_SEEDS
        return known and abs(self.gain.mean) > (self.gain.deviation or 0.0)


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
    helped = [gain for gain in found if gain.is_more_than_noise and gain.gain is not None and gain.gain.mean > 0]
    hurt = [gain for gain in found if gain.is_more_than_noise and gain.gain is not None and gain.gain.mean < 0]
    rest = [gain for gain in found if gain not in (*same, *helped, *hurt)]
    parts = []
    for verb, some in (("raised", helped), ("lowered", hurt)):
        if some:
            names = ", ".join(f"{gain.tuned.variant} ({points(gain.gain)} points)" for gain in some)
            parts.append(f"{verb} the skill of {names} by more than its spread over seeds")
    if rest:
        parts.append(f"made no difference beyond the spread over seeds for {_listed(rest)}")
    if same:
        parts.append(f"found nothing better than the default settings for {_listed(same)}")
    return [f"Tuning on validation {'; it '.join(parts)}."]


def _listed(found: list[Gain]) -> str:
    return ", ".join(gain.tuned.variant for gain in found)


def points(gain: Spread | None) -> str:
    """A difference of skills in percentage points, ± its standard deviation."""
    if gain is None:
        return "-"
    text = f"{round(100 * gain.mean, 2) + 0.0:+.2f}"
    return text if gain.deviation is None else f"{text} ± {100 * gain.deviation:.2f}"
