"""The front: the variants that no other beats in both accuracy and training throughput."""

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.report.board import Board


@dataclass(frozen=True)
class Point:
    """What one line trades: windows/s of training, rmse and parameters, each the mean over seeds."""

    windows_per_second: float
    rmse: float
    parameters: float
    label: str

    def beats(self, other: "Point") -> bool:
        """Whether it is as fast and as accurate, and better in one of them."""
        ours, theirs = (-self.windows_per_second, self.rmse), (-other.windows_per_second, other.rmse)
        return ours[0] <= theirs[0] and ours[1] <= theirs[1] and ours != theirs


def points(board: Board) -> list[Point]:
    """A point for each line that trains, slowest first."""
    found = []
    for line in board.lines:
        rmse, speed, count = line.metric("rmse"), line.field("windows_per_second"), line.field("parameter_count")
        if rmse is not None and speed is not None and count is not None:
            found.append(Point(speed.mean, rmse.mean, count.mean, line.label))
    return sorted(found, key=lambda point: (point.windows_per_second, point.rmse, point.label))


def unbeaten(found: Sequence[Point]) -> list[Point]:
    """Those that no other beats, in their order."""
    return [point for point in found if not any(other.beats(point) for other in found)]


def front_sentence(board: Board) -> list[str]:
    """Who is on the front, fastest first; nothing where one is best in both."""
    on_front = [point.label for point in reversed(unbeaten(points(board)))]
    if len(on_front) < 2:
        return []
    return [f"On the front of accuracy and training throughput, fastest first: {', '.join(on_front)}."]
