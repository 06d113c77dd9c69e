"""kill -9 at many points: what was acknowledged is there, and nothing is half done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, RunFilter
from ipaas.testing import VirtualClock

if TYPE_CHECKING:
    from ipaas.run import Run
    from ipaas.store.contract import Store

WRITER = Path(__file__).with_name("killed_writer.py")
ROOT = Path(__file__).parents[2]


def write_until_killed(path: Path, name: str, lines: int) -> list[list[str]]:
    """Run the writer, kill it after it has acknowledged that many facts, and return all it got out."""
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, str(WRITER), str(path), name],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    return [line.decode().split() for line in said if line.endswith(b"\n")]


async def check_run(store: Store, run: Run, said: set[str]) -> None:
    """Check one run against what its writer was told, and against itself."""
    events = [event.state for event in await store.list_events(DEFAULT_TENANT, run.id)]
    steps = [step.path for step in await store.list_steps(DEFAULT_TENANT, run.id)]
    lines = (await store.list_logs(DEFAULT_TENANT, run.id)).items
    # Everything acknowledged is there ...
    assert "claimed" not in said or run.fence == 1
    assert "started" not in said or run.state in ("running", "succeeded")
    assert "recorded" not in said or steps == ["a", "b"]
    assert "logged" not in said or len(lines) == 2
    assert "finished" not in said or run.state == "succeeded"
    # ... and nothing is half done: pairs came together, and each state has its trail.
    assert steps in ([], ["a", "b"])
    assert len(lines) in (0, 2)
    assert (
        events
        == {
            "queued": ["queued"],
            "running": ["queued", "running"],
            "succeeded": ["queued", "running", "succeeded"],
        }[run.state]
    )
    assert (run.outputs is None) == (run.state != "succeeded")
    assert (run.started_at is None) == (run.state == "queued")
    assert run.state == "queued" or run.fence == 1


@pytest.mark.parametrize("lines", [1, 7, 20, 61, 150, 311, 640])
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, lines: int) -> None:
    """G1 and G2: a writer killed after any number of acknowledged writes leaves a file in which each of them is whole."""
    path = tmp_path / "ipaas.db"
    told: dict[str, set[str]] = defaultdict(set)
    # Twice on one file: the second writer opens what the first left behind.
    for name in ("one", "two"):
        for word, *run_ids in write_until_killed(path, name, lines):
            for run_id in run_ids:
                told[run_id].add(word)
    assert sum(len(words) for words in told.values()) >= 2 * lines
    async with open_store(f"sqlite:///{path}", VirtualClock()) as store:
        page = await store.list_runs(DEFAULT_TENANT, RunFilter(), limit=100_000)
        runs = {run.id: await store.get_run(DEFAULT_TENANT, run.id) for run in page.items}
        assert told.keys() <= runs.keys()
        for run in runs.values():
            await check_run(store, run, told[run.id])
        # Each submit wrote a pair, each finish one follower.
        ended = sum(run.state == "succeeded" for run in runs.values())
        assert (len(runs) - ended) % 2 == 0
