"""make fuzz: the tests of this folder with other random inputs, again and again, until the time is up.

    python -m tests.fuzz [MINUTES]

Prints how many inputs were tried; ends with the first test that fails, whose input Hypothesis has made small.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = "500"  # of each test in a round


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    began, inputs, rounds = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        surroundings = {**os.environ, "FUZZ_EXAMPLES": EXAMPLES, "FUZZ_COUNTS": str(counts)}
        while time.monotonic() - began < 60 * minutes:
            rounds += 1
            seed = time.time_ns() % 2**32
            command = [sys.executable, "-m", "pytest", "tests/fuzz", "--numprocesses", "2", f"--hypothesis-seed={seed}"]
            ended = subprocess.run([*command, "-p", "no:cacheprovider"], env=surroundings, check=False)
            inputs = sum(map(int, counts.read_text().split())) if counts.exists() else 0
            if ended.returncode:
                sys.exit(f"failed after {inputs:,} inputs (seed {seed})")
    print(f"{inputs:,} inputs in {(time.monotonic() - began) / 60:.1f} minutes, {rounds} rounds: no fault")


if __name__ == "__main__":
    main()
