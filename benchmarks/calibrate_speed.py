"""Does zoo compare call two timings of the same code different? Every variant is timed twice and compared with itself.

    python benchmarks/calibrate_speed.py

Runs `zoo speed` twice, one run after the other as a user would, and prints for how many cells the interval of the gain
excludes zero: at the level of `zoo compare`, which holds for all cells together, and at 95 % for each cell alone.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from zoo.cell import SpeedRow
from zoo.report.speed_compare import compare
from zoo.run.store import read_rows
from zoo.stats.timings import ratio_interval
from zoo.throughput.passes import NOISE, pass_rates, why_undecided

ZOO = str(Path(sys.executable).with_name("zoo"))
CELLS = ["--models", "all", "--batch-size", "64", "--lookback", "7,96"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        for out in (old, new):
            subprocess.run([ZOO, "speed", *CELLS, "--out", str(out)], check=True)
        comparison = compare(old, new)
        singly = [interval for interval in _single_intervals(old, new) if interval is not None]
    decided = [change for change in comparison.changes if change.interval is not None]
    apart = [change for change in decided if not change.interval[0] <= 0 <= change.interval[1]]
    print(f"{len(comparison.changes)} cells, {len(decided)} decided")
    print(f"gain within {100 * NOISE:.0f} %: {sum(abs(change.gain) <= NOISE for change in decided)} of {len(decided)}")
    print(f"interval for all cells together excludes zero: {_share(len(apart), len(decided))}")
    print(f"called better or worse: {_share(sum(abs(change.gain) > NOISE for change in apart), len(decided))}")
    outside = sum(not low <= 1 <= high for low, high in singly)
    print(f"95 % interval of the cell alone excludes zero: {_share(outside, len(singly))}")


def _single_intervals(old: Path, new: Path) -> list[tuple[float, float] | None]:
    sides = [{row.key: row for row in read_rows(side)[0] if isinstance(row, SpeedRow)} for side in (old, new)]
    intervals = []
    for key in sides[0]:
        rows = [side[key] for side in sides]
        if all(row.error is None and not why_undecided(row) for row in rows):
            ratio = ratio_interval(*map(pass_rates, rows), level=0.95)
            intervals.append(None if ratio.low is None or ratio.high is None else (ratio.low, ratio.high))
    return intervals


def _share(count: int, total: int) -> str:
    return f"{count} of {total} ({100 * count / max(total, 1):.1f} %)"


if __name__ == "__main__":
    main()
