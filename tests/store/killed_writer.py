"""A process that writes through the Store, one fact a line on stdout after it was acknowledged, until it is killed.

python killed_writer.py DATABASE NAME
"""

from __future__ import annotations

import os
import sys

import trio

from ipaas.engine.system_clock import SystemClock
from ipaas.run import LogLine, Outcome, RunRequest, StepResult
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, Change, Store, WorkflowText

WORKERS = 8


async def work(store: Store, name: str, worker: int) -> None:
    number = 0
    while True:
        number += 1
        first = RunRequest(workflow="w", version="v1", delivery=f"{name}.{worker}.{number}")
        second = RunRequest(workflow="w", version="v1", delivery=f"{name}.{worker}.{number}+")
        answers = await store.submit(DEFAULT_TENANT, [first, second])
        run_id = answers[0].run_id
        report("submitted", run_id, answers[1].run_id)
        [claimed] = await store.claim(f"{name}.{worker}", limit=1, lease_s=3600, only=[run_id])
        report("claimed", run_id)
        run = await store.start(claimed.lease)
        report("started", run_id)
        assert run.started_at is not None
        pair = [StepResult(path=path, step=path, status="succeeded", started_at=run.started_at) for path in ("a", "b")]
        await store.record_steps(run.lease, pair)
        report("recorded", run_id)
        await store.append_logs(run.lease, [LogLine(at=run.started_at, level="info", message="m")] * 2)
        report("logged", run_id)
        follower = RunRequest(workflow="w", version="v1", delivery=f"after.{run_id}")
        await store.finish(run.lease, Outcome(state="succeeded", outputs={"n": number}), [follower])
        report("finished", run_id)


def report(*words: str) -> None:
    # One write a line, so that a kill leaves whole lines; the parent reads them one by one.
    os.write(1, " ".join(words).encode() + b"\n")


async def main() -> None:
    path, name = sys.argv[1:]
    async with open_store(f"sqlite:///{path}", SystemClock()) as store:
        text = WorkflowText(id="w", version="v1", path="w.yaml", source="steps: []")
        await store.apply(DEFAULT_TENANT, Change(put=(text,)))
        async with trio.open_nursery() as nursery:
            for worker in range(WORKERS):
                nursery.start_soon(work, store, name, worker)


if __name__ == "__main__":
    trio.run(main)
