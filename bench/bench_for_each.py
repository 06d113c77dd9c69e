"""One run with `for_each` over many loopback GETs, as a ratio to a bare httpx2 loop.

    python bench/bench_for_each.py [--items 1000] [--limit 20]

Both ask the same server, a process of its own, for the same small JSON, with the same number of requests at a time. The run goes through the
compiler, the runner, the live host and a SQLite journal with `synchronous=FULL`. Goal: within 2.5 times the bare loop.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import trio

from ipaas.definition import CompileOptions, compile_text
from ipaas.engine.machine import RunnerSettings
from ipaas.engine.request import make_request
from ipaas.engine.runner import Runner
from ipaas.engine.system_clock import SystemClock
from ipaas.engine.workflows import Workflows
from ipaas.plugin import HttpPool
from ipaas.registry import load_registry
from ipaas.run import TriggerInfo
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, Change, WorkflowText

TEXT = """
version: 1
id: each
inputs:
  urls: {{type: array, items: {{type: string}}}}
steps:
  - id: get
    for_each: {{in: "${{{{ inputs.urls }}}}", as: url, limit: {limit}}}
    uses: http.get
    with: {{url: "${{{{ url }}}}"}}
outputs:
  count: ${{{{ size(steps.get.items) }}}}
"""

SERVER = """
import trio
from ipaas.testing.fake_server import FakeServer, reply

async def main():
    async with FakeServer() as server:
        server.on("GET", "/item", reply(json={"id": 1, "name": "an item", "tags": ["a", "b"]}))
        print(server.url, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


async def measure_bare(urls: list[str], limit: int) -> float:
    """Return seconds of the loop that somebody would write by hand."""
    async with httpx2.AsyncClient() as client:
        turns = trio.Semaphore(limit)
        begin = time.perf_counter()

        async def get(url: str) -> None:
            async with turns:
                reply = await client.get(url)
                assert reply.json()["id"] == 1

        async with trio.open_nursery() as nursery:
            for url in urls:
                nursery.start_soon(get, url)
        return time.perf_counter() - begin


async def measure_run(urls: list[str], limit: int, folder: Path) -> float:
    """Return seconds of one run, from its submit to its end."""
    registry = load_registry(entry_points=False, config_env={})
    compiled = compile_text(TEXT.format(limit=limit), "each.yaml", registry.catalog, CompileOptions())
    workflow = compiled.workflow
    assert workflow is not None, [str(problem) for problem in compiled.problems]
    clock = SystemClock()
    async with (
        open_store(f"sqlite:///{folder}/each.db", clock) as store,
        HttpPool(["127.0.0.0/8"]) as pool,
        trio.open_nursery() as nursery,
    ):
        text = WorkflowText(id=workflow.id, version=workflow.version, path="each.yaml", source=workflow.source)
        await store.apply(DEFAULT_TENANT, Change(put=(text,)))
        runner = Runner(
            store=store,
            workflows=Workflows(store, lambda _: workflow),
            actions=registry.actions,
            pool=pool,
            clock=clock,
            owner="bench",
            settings=RunnerSettings(),
            credentials=lambda _tenant, _name: None,
            redact=lambda value: value,
        )
        await nursery.start(runner.run)
        spent: list[float] = []
        for size in (limit, len(urls)):  # the first run imports what the second needs
            begin = time.perf_counter()
            request = make_request(workflow, inputs={"urls": urls[:size]}, trigger=TriggerInfo())
            (submitted,) = await runner.submit(DEFAULT_TENANT, [request])
            run = await runner.wait_finished(DEFAULT_TENANT, submitted.run_id)
            assert run.outputs == {"count": size}, run.error
            spent.append(time.perf_counter() - begin)
        await runner.drain(0)
    return spent[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        urls = [f"{server.stdout.readline().strip()}/item"] * options.items
        bare, runs = [], []
        for _ in range(options.rounds):
            bare.append(trio.run(measure_bare, urls, options.limit))
            with tempfile.TemporaryDirectory() as folder:
                runs.append(trio.run(measure_run, urls, options.limit, Path(folder)))
        plain, ours = statistics.median(bare), statistics.median(runs)
        print(
            f"bare:  {plain:.2f} s for {options.items} GETs, {options.limit} at a time ({options.items / plain:.0f}/s)"
        )
        print(f"run:   {ours:.2f} s ({options.items / ours:.0f}/s), {ours / plain:.2f} times the bare loop")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
