"""What idle schedules cost: CPU seconds in a wall minute, and memory.

    python bench/bench_schedules.py [--schedules 1000] [--seconds 60]

Each schedule is a workflow of its own, read from text by the real compiler, in one of twelve zones; all are due once a day or later. They
stand in a SQLite file, and the scheduler polls it as a server does. Goals for 1 000: under 2 % of a core, under 200 MB in all.
"""

from __future__ import annotations

import argparse
import gc
import resource
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from ipaas.definition import CompileOptions, compile_text
from ipaas.engine.scheduler import Scheduler
from ipaas.engine.system_clock import SystemClock
from ipaas.engine.workflows import Workflows
from ipaas.registry import load_registry
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, Change, Version, WorkflowText

if TYPE_CHECKING:
    from ipaas.model import Workflow

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "America/Sao_Paulo",
    "Asia/Kolkata", "Africa/Cairo", "Pacific/Auckland", "Europe/London", "America/Los_Angeles", "Asia/Shanghai",
)  # fmt: skip

TEXT = """
version: 1
id: idle{number}
triggers:
  - cron: "{minute} {hour} * * mon-fri"
    timezone: {zone}
steps:
  - uses: flow.log
    with: {{message: "due at ${{{{ string(trigger.scheduled_at) }}}}"}}
  - uses: flow.set
    with: {{value: "${{{{ 1 + 1 }}}}"}}
"""


def make_text(number: int, hour: int) -> WorkflowText:
    """Return a workflow that is due once a working day, far from now."""
    zone = ZONES[number % len(ZONES)]
    source = TEXT.format(number=number, minute=number % 60, hour=(hour + number) % 24, zone=zone)
    version = sha256(source.encode()).hexdigest()
    return WorkflowText(
        id=f"idle{number}", version=version, path=f"idle{number}.yaml", source=source, triggers={"cron1": source[:80]}
    )


def read_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def read_rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


async def measure(schedules: int, seconds: float) -> None:
    registry = load_registry(entry_points=False, config_env={})
    clock = SystemClock()

    def compile_version(version: Version) -> Workflow:
        compiled = compile_text(version.source, version.path, registry.catalog, CompileOptions())
        assert compiled.workflow is not None, compiled.problems
        return compiled.workflow

    with tempfile.TemporaryDirectory() as folder:
        async with open_store(f"sqlite:///{folder}/bench.db", clock) as store, trio.open_nursery() as nursery:
            texts = tuple(make_text(number, 0) for number in range(schedules))
            await store.apply(DEFAULT_TENANT, Change(put=texts))
            empty_mb = read_rss_mb()
            workflows = Workflows(store, compile_version)
            scheduler = Scheduler(store=store, workflows=workflows, clock=clock, wake=lambda: None)
            began, cpu_s = time.perf_counter(), read_cpu_s()
            await nursery.start(scheduler.run)
            while len(scheduler._agenda) < schedules:  # noqa: ASYNC110, SLF001  # a benchmark looks inside
                await trio.sleep(0.05)
            print(
                f"start: {schedules} schedules taken over in {time.perf_counter() - began:.1f} s wall, {read_cpu_s() - cpu_s:.1f} s CPU"
            )
            gc.collect()
            await trio.sleep(2)
            began, cpu_s = time.perf_counter(), read_cpu_s()
            await trio.sleep(seconds)
            used_s, wall_s = read_cpu_s() - cpu_s, time.perf_counter() - began
            print(
                f"idle: {60 * used_s / wall_s:.2f} s CPU in a minute, {100 * used_s / wall_s:.2f} % of a core (goal: under 2 %)"
            )
            print(
                f"memory: {read_rss_mb():.0f} MB in all (goal: under 200 MB), {empty_mb:.0f} MB before any schedule was compiled"
            )
            nursery.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    trio.run(measure, options.schedules, options.seconds)


if __name__ == "__main__":
    main()
