"""Cold start: `ipaas --help` and a run of one step, as whole processes, as ratios to an interpreter that does nothing.

Run: `python bench/bench_start.py [rounds]`. Goals on 2 cores: help under 0.3 s, a one-step run under 0.8 s.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PIPELINE = """version: 1
steps:
  - uses: flow.log
    with: {message: hello}
"""


def median_seconds(command: Sequence[str], rounds: int) -> float:
    """Run a command once to warm the file cache, then `rounds` times; return the median wall time."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def main() -> None:
    """Print one line a command."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    ipaas = [sys.executable, "-m", "ipaas"]
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Path(folder, "one.yaml")
        pipeline.write_text(PIPELINE, encoding="utf-8")
        bare = median_seconds([sys.executable, "-c", "pass"], rounds)
        print(f"bare interpreter: {bare:.3f} s")
        for name, command in {
            "ipaas --help": [*ipaas, "--help"],
            "ipaas validate (one file)": [*ipaas, "validate", "--no-cache", str(pipeline)],
            "ipaas run (one step)": [*ipaas, "run", str(pipeline)],
        }.items():
            seconds = median_seconds(command, rounds)
            print(f"{name}: {seconds:.3f} s, {seconds / bare:.1f} x the bare interpreter")


if __name__ == "__main__":
    main()
