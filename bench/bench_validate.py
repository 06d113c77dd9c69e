"""Checking many files: 1 000 pipelines of 10 steps, cold and again, in seconds and MB of whole processes.

Run: `python bench/bench_validate.py [files]`. Goals on 2 cores: cold under 8 s and 500 MB; again far faster.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS_PER_FILE = 10

HEAD = """version: 1
id: bench_{number:04}
description: one of many
inputs:
  minimum: {{type: integer, default: {number}}}
  region: {{type: string, default: north}}
triggers:
  - {{id: daily, cron: "{minute} 7 * * mon-fri", timezone: Europe/Berlin}}
steps:
  - id: s0
    uses: http.get
    with: {{url: "https://api.example.com/orders?region=${{{{ inputs.region }}}}"}}
    returns:
      properties:
        body: {{type: array, items: {{type: object, required: [id, total], properties: {{id: {{type: string}}, total: {{type: number}}}}}}}}
"""

STEP = """  - id: s{step}
    if: size(steps.s0.output.body) > {step}
    for_each: {{in: "${{{{ steps.s0.output.body }}}}", as: order, where: "order.total > inputs.minimum + {number}", limit: 5}}
    uses: flow.log
    with: {{message: "order ${{{{ order.id }}}} of ${{{{ inputs.region }}}}: ${{{{ order.total }}}}"}}
    timeout: 10s
"""


def write_files(folder: Path, count: int) -> None:
    """Write `count` files that differ, as real ones do."""
    for number in range(count):
        head = HEAD.format(number=number, minute=number % 60)
        steps = (STEP.format(step=step, number=number) for step in range(1, STEPS_PER_FILE))
        (folder / f"bench_{number:04}.yaml").write_text(head + "".join(steps), encoding="utf-8")


def measure(folder: Path, cache: Path) -> tuple[float, float]:
    """Validate the folder in a process of its own; return wall seconds and the process's peak in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ipaas", "validate", str(folder)],
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"validate ended with {process.returncode}")
    assert isinstance(usage, resource.struct_rusage)
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    """Print one line for the cold and one for the repeated validation."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as temporary:
        folder, cache = Path(temporary, "pipelines"), Path(temporary, "cache")
        folder.mkdir()
        write_files(folder, count)
        cold, cold_mb = measure(folder, cache)
        again, again_mb = measure(folder, cache)
    print(f"validate {count} files of {STEPS_PER_FILE} steps: {cold:.2f} s, {cold_mb:.0f} MB")
    print(f"validate them again, unchanged: {again:.2f} s, {again_mb:.0f} MB, {cold / again:.1f} times as fast")


if __name__ == "__main__":
    main()
