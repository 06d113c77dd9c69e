"""What the Store costs, as ratios to the bare database.

    python bench/bench_store.py [--runs 2000] [--history 1000000] [--queued 100000]

One no-op run is submit, claim, start, record_steps and finish. The floor is the same rows written through a bare `sqlite3`
connection with `synchronous=FULL`, one transaction a run: what SQLite could do if there were no Store. Claims are timed beside
a growing history and queue: the last column must stay near 1.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from ipaas.engine.system_clock import SystemClock
from ipaas.run import Outcome, Run, RunRequest, StepResult
from ipaas.store import open_store
from ipaas.store.contract import Change, WorkflowText
from ipaas.store.sqlite.connect import open_writer

if TYPE_CHECKING:
    from ipaas.store.contract import Store

_STARTED = datetime(2026, 1, 1, tzinfo=UTC)
_REQUEST = RunRequest(workflow="noop", version="v1", inputs={"name": "world"})
_STEP = StepResult(
    path="say", step="say", status="succeeded", action="flow.log", output={"a": 1}, attempts=1, started_at=_STARTED
)


def measure_floor(folder: Path, runs: int, statements: int) -> float:
    """Return transactions a second on a bare connection, each of that many inserts and one sync."""
    with closing(open_writer(folder / f"floor{statements}.db")) as connection:
        connection.execute("CREATE TABLE floor (id INTEGER PRIMARY KEY, a TEXT, b TEXT)")
        begin = time.perf_counter()
        for number in range(runs):
            connection.execute("BEGIN IMMEDIATE")
            for statement in range(statements):
                connection.execute("INSERT INTO floor (a, b) VALUES (?, ?)", (f"run_{number}", f"row {statement}"))
            connection.execute("COMMIT")
        return runs / (time.perf_counter() - begin)


async def put_workflow(store: Store) -> None:
    text = WorkflowText(id="noop", version="v1", path="noop.yaml", source="steps: []")
    await store.apply("default", Change(put=(text,)))


async def measure_runs(store: Store, runs: int, in_flight: int) -> float:
    """Return whole no-op runs a second with that many under way at a time; claims are made in batches, as the runner makes them."""
    await put_workflow(store)
    left = runs

    async def walk() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await store.submit("default", [_REQUEST])
            run = await claims.receive()
            lease = (await store.start(run.lease)).lease
            await store.record_steps(lease, [_STEP])
            await store.finish(lease, Outcome(state="succeeded", outputs={"done": True}))

    send, claims = trio.open_memory_channel[Run](in_flight)
    begin = time.perf_counter()
    async with trio.open_nursery() as claimer:

        async def claim() -> None:
            while True:
                for run in await store.claim("bench", limit=in_flight, lease_s=30):
                    send.send_nowait(run)
                await trio.lowlevel.checkpoint()

        claimer.start_soon(claim)
        async with trio.open_nursery() as walkers:
            for _ in range(in_flight):
                walkers.start_soon(walk)
        claimer.cancel_scope.cancel()
    return runs / (time.perf_counter() - begin)


def add_rows(path: Path, first: int, count: int, state: str, gate: str) -> None:
    """Write runs straight into the table: a history of a million through the Store would take half an hour."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            """
            WITH RECURSIVE number (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?)
            INSERT INTO runs (id, tenant, workflow, version, state, gate, rank, overlap, slot, slot_limit, created_at,
                              finished_at, trigger_info, inputs)
            SELECT printf('run_%026d', n), 'default', 'noop', 'v1', ?, ?, 0, 'allow', '', 0, n, n,
                   '["manual","",null,{}]', '{}'
            FROM number""",
            (first, first + count, state, gate),
        )


async def measure_claims(store: Store, claims: int) -> float:
    """Return seconds of one claim of one run, which is then ended and replaced, so that the queue keeps its length."""
    spent_s = 0.0
    for _ in range(claims):
        begin = time.perf_counter()
        [run] = await store.claim("bench", limit=1, lease_s=30)
        spent_s += time.perf_counter() - begin
        await store.finish((await store.start(run.lease)).lease, Outcome(state="succeeded"))
        await store.submit("default", [_REQUEST])
    return spent_s / claims


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--history", type=int, default=1_000_000)
    parser.add_argument("--queued", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, five = measure_floor(folder, options.runs, 2), measure_floor(folder, options.runs, 8)
        print(
            f"floor: {one:.0f} transactions/s of 2 rows, {five:.0f}/s of 8 rows (one no-op run), each with its own sync"
        )
        for in_flight in (1, 16, 100):
            async with open_store(f"sqlite:///{folder}/runs{in_flight}.db", SystemClock()) as store:
                rate = await measure_runs(store, options.runs, in_flight)
            print(f"sqlite, {in_flight:3} in flight: {rate:6.0f} runs/s, {rate / five:.2f} of the floor")
        async with open_store("memory:", SystemClock()) as store:
            print(f"memory, 100 in flight: {await measure_runs(store, options.runs, 100):6.0f} runs/s")
        path = folder / "claims.db"
        base_s = 0.0
        added = 0
        for history, queued in ((0, 1000), (options.history, 1000), (0, options.queued)):
            async with open_store(f"sqlite:///{path}", SystemClock()) as store:
                await put_workflow(store)
            for count, state, gate in ((history, "succeeded", "closed"), (queued, "queued", "open")):
                if count:
                    add_rows(path, added, count, state, gate)
                    added += count
            async with open_store(f"sqlite:///{path}", SystemClock()) as store:
                await measure_claims(store, 50)
                claim_s = await measure_claims(store, 500)
            base_s = base_s or claim_s
            print(f"claim beside {added:9,} rows: {claim_s * 1e6:5.0f} us, {claim_s / base_s:.2f} of the first")


if __name__ == "__main__":
    trio.run(main)
