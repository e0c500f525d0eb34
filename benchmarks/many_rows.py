"""How long a folder of 100,000 rows takes to open, to become a table, and to be reported.

    python benchmarks/many_rows.py [--problems 4] [--seeds 425]

The rows are those of results/standard/sp500, a row of each variant, again for each problem and seed with another error.
Seconds are of the processor, each in a fresh process.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zoo.report.folder import write_report
from zoo.run.results import results
from zoo.run.store import NAME, read_rows

SOURCE = Path(__file__).parents[1] / "results/standard/sp500"
STEPS = {"open": read_rows, "table": results, "report": write_report}


def write_rows(folder: Path, problems: int, seeds: int) -> int:
    """Write the rows of so many problems and seeds; how many they are."""
    first = {row.variant: row for row in read_rows(SOURCE)[0] if row.error is None}
    jitter, lines = random.Random(0), []
    for problem in range(problems):
        for row in first.values():
            values = row.model_dump(mode="json")
            for seed in range(seeds):
                values["key"] = f"{len(lines):064x}"
                values["seed"] = seed
                values["problem"]["lookback"] = 7 + problem
                values["metrics"]["rmse"] = row.metrics.rmse * (1 + jitter.gauss(0, 0.003))
                lines.append(json.dumps(values, separators=(",", ":")))
    (folder / NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def main() -> None:
    """Print the seconds of each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=425)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    request = parser.parse_args()
    if request.step:
        began = time.process_time()
        STEPS[request.step](request.folder)
        print(f"{request.step}: {time.process_time() - began:.1f} s")
        return
    with tempfile.TemporaryDirectory() as folder:
        count = write_rows(Path(folder), request.problems, request.seeds)
        print(f"{count:,} rows of {request.problems} problems", flush=True)
        for step in STEPS:
            subprocess.run([sys.executable, __file__, "--step", step, "--folder", folder], check=True)


if __name__ == "__main__":
    main()
