"""GETs of an action's HTTP client, as a ratio to a bare httpx2 loop in the same minute.

    python bench/bench_http.py [--requests 1000] [--at-once 20] [--rounds 5]

Both ask the same server, a process of its own on loopback that answers 200 with 32 bytes of JSON at once, over connections that are kept.
Ours is `ctx.http.get`: address parsing, credential, guard, deadline, limits, the status' meaning. Goal: at most 2.5 times the bare loop.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import httpx2
import trio

from ipaas.plugin import Connector, Context, HttpPool, make_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BODY: Final = b'{"items": [1, 2, 3, 4, 5, 6, 7]}'
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)

probe = Connector("probe", credential=["token"], description="an action that only lends its HTTP client")


@probe.action(effect="read")
async def nothing(ctx: Context) -> None:
    """Do nothing."""


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every head the same, as cheaply as can be: the clients are measured, not the server."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionResetError):
        writer.close()


async def serve() -> None:
    """Serve until killed; the first line of output is the port."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def take_turns(get: Callable[[], Awaitable[bytes]], requests: int, at_once: int) -> float:
    """Return the requests a second of so many tasks that share the requests; the first of each is not counted."""
    for _ in range(2):  # imports, certificates, connections
        await spread(get, at_once, at_once)
    began = time.perf_counter()
    await spread(get, requests, at_once)
    return requests / (time.perf_counter() - began)


async def spread(get: Callable[[], Awaitable[bytes]], requests: int, at_once: int) -> None:
    """Send the requests from so many tasks."""
    left = requests

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            assert await get() == BODY

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(work)


async def measure_bare(url: str, requests: int, at_once: int) -> float:
    """Return the requests a second of httpx2 as it comes."""
    async with httpx2.AsyncClient(trust_env=False, timeout=None) as client:

        async def get() -> bytes:
            return (await client.get(url)).content

        return await take_turns(get, requests, at_once)


async def measure_ours(url: str, requests: int, at_once: int) -> float:
    """Return the requests a second of `ctx.http.get`."""
    async with HttpPool(["127.0.0.1"]) as pool:
        http = make_context(probe.get_action("nothing"), pool=pool, credential={"token": "t"}).http

        async def get() -> bytes:
            return (await http.get(url)).content

        return await take_turns(get, requests, at_once)


def main() -> None:
    """Print both rates and their ratio; rounds alternate, so that a busy moment hits both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/items?page=1"
            bare, ours = [], []
            for _ in range(options.rounds):
                bare.append(trio.run(measure_bare, url, options.requests, options.at_once))
                ours.append(trio.run(measure_ours, url, options.requests, options.at_once))
        finally:
            server.terminate()
    ratio = statistics.median(floor / rate for floor, rate in zip(bare, ours, strict=True))
    print(f"bare httpx2, {options.at_once} at once: {statistics.median(bare):.0f} requests/s")
    print(
        f"ctx.http.get, {options.at_once} at once: {statistics.median(ours):.0f} requests/s, {ratio:.2f} x the time of bare httpx2"
    )


if __name__ == "__main__":
    main()
