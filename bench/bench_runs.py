"""No-op runs a second through Store and runner, as a ratio to the bare database.

    python bench/bench_runs.py [--runs 3000] [--in-flight 100] [--url memory:]

A run is one step of `flow.set`: submitted (100 in one call), claimed, started, walked with its expression, journalled and finished, all of it
durable with `synchronous=FULL`. The floor is the same number of bare SQLite transactions of 8 rows, which is what one such run writes. Goal:
500 runs/s at 100 in flight, better 1 000.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from ipaas.definition import CompileOptions, compile_text
from ipaas.engine.machine import RunnerSettings
from ipaas.engine.request import make_request
from ipaas.engine.runner import Runner
from ipaas.engine.system_clock import SystemClock
from ipaas.engine.workflows import Workflows
from ipaas.registry import load_registry
from ipaas.run import TriggerInfo
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, Change, WorkflowText

if TYPE_CHECKING:
    from ipaas.model import Workflow
    from ipaas.registry import Registry
    from ipaas.store.contract import Version

TEXT = """
version: 1
id: noop
inputs:
  n: {type: integer, default: 1}
steps:
  - id: say
    uses: flow.set
    with: {n: "${{ inputs.n + 1 }}"}
outputs:
  n: ${{ steps.say.output.n }}
"""
BATCH = 100
ROWS = 8


def measure_floor(folder: Path, runs: int) -> float:
    """Return transactions a second of eight small rows, each with its own sync, on a connection with nothing around it."""
    with closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE floor (id INTEGER PRIMARY KEY, a TEXT, b TEXT)")
        begin = time.perf_counter()
        for number in range(runs):
            connection.execute("BEGIN IMMEDIATE")
            for row in range(ROWS):
                connection.execute("INSERT INTO floor (a, b) VALUES (?, ?)", (f"run_{number}", f"row {row}"))
            connection.execute("COMMIT")
        return runs / (time.perf_counter() - begin)


def compile_noop(registry: Registry) -> Workflow:
    """Return the workflow, or stop with its problems."""
    compiled = compile_text(TEXT, "noop.yaml", registry.catalog, CompileOptions())
    assert compiled.workflow is not None, [str(problem) for problem in compiled.problems]
    return compiled.workflow


async def measure(url: str, runs: int, in_flight: int) -> float:
    """Return runs a second, from the first submit to the last end."""
    registry = load_registry(entry_points=False, config_env={})
    workflow = compile_noop(registry)
    clock = SystemClock()

    def compile_version(version: Version) -> Workflow:
        assert version.version == workflow.version
        return workflow

    async with open_store(url, clock) as store, trio.open_nursery() as nursery:
        text = WorkflowText(id=workflow.id, version=workflow.version, path="noop.yaml", source=workflow.source)
        await store.apply(DEFAULT_TENANT, Change(put=(text,)))
        ended, all_ended = 0, trio.Event()

        class Counter:
            """An observer that counts the ends."""

            def run_changed(self, run: object) -> None:
                nonlocal ended
                ended += getattr(run, "state", "") == "succeeded"
                if ended == runs:
                    all_ended.set()

            def step_changed(self, run: object, result: object) -> None:
                """Nothing to count."""

            def line_logged(self, run: object, line: object) -> None:
                """Nothing to count."""

        runner = Runner(
            store=store,
            workflows=Workflows(store, compile_version),
            actions=registry.actions,
            pool=None,
            clock=clock,
            owner="bench",
            settings=RunnerSettings(limit=in_flight),
            credentials=lambda _tenant, _name: None,
            redact=lambda value: value,
            observers=[Counter()],
        )
        await nursery.start(runner.run)
        begin = time.perf_counter()
        for first in range(0, runs, BATCH):
            requests = [
                make_request(workflow, inputs={"n": first + n}, trigger=TriggerInfo())
                for n in range(min(BATCH, runs - first))
            ]
            await runner.submit(DEFAULT_TENANT, requests)
        await all_ended.wait()
        spent_s = time.perf_counter() - begin
        await runner.drain(0)
    return runs / spent_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--url", default="", help="another Store than a fresh SQLite file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        floor = measure_floor(folder, options.runs)
        rate = trio.run(measure, options.url or f"sqlite:///{folder}/runs.db", options.runs, options.in_flight)
        print(f"floor: {floor:6.0f} transactions/s of {ROWS} rows, each with its own sync")
        print(f"runs:  {rate:6.0f}/s with {options.in_flight} in flight, {rate / floor:.2f} of the floor")


if __name__ == "__main__":
    main()
