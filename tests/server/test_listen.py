import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import trio

from ipaas.errors import InputError
from ipaas.server.health import Health, make_http_app
from ipaas.server.listen import bind_socket, require_loopback, serve_http


@asynccontextmanager
async def running(health: list[Health]) -> AsyncIterator[str]:
    """Serve with the newest health of the list; yields the URL."""
    stop = trio.Event()

    async def check() -> Health:
        return health[-1]

    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(serve_http, make_http_app(check), bind_socket("127.0.0.1", 0), stop)
        yield url
        stop.set()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_addresses_are_accepted(host: str) -> None:
    """Every spelling of this machine is accepted."""
    require_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "127.0.0.1.example.com", ""])
def test_wider_addresses_are_refused(host: str) -> None:
    """What other machines could reach is refused: nothing guards it yet."""
    with pytest.raises(InputError):
        require_loopback(host)


def test_port_in_use_is_a_message() -> None:
    """A port that another server listens on is told with the way out."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError) as caught:
            bind_socket("127.0.0.1", port)
    assert caught.value.message == f"cannot listen on `127.0.0.1` port {port}: address already in use"
    assert caught.value.hint == "choose another port with `--port`, or `--port 0` for a free one"


async def test_health_follows_the_process() -> None:
    """`/healthz` is 200 while work is taken and 503 with Retry-After otherwise."""
    health: list[Health] = ["ok"]
    async with running(health) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        assert url.startswith("http://127.0.0.1:")
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        health.append("draining")
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (503, {"status": "draining"}, "5")


async def test_nothing_else_is_there() -> None:
    """Other paths are 404 and other methods 405, and no answer says what serves it."""
    async with running(["ok"]) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/")).status_code == 404
        answer = await client.post("/healthz")
        assert answer.status_code == 405
        assert "server" not in answer.headers
        assert json.loads((await client.get("/healthz")).text) == {"status": "ok"}


async def test_stop_ends_the_server() -> None:
    """Once it is stopped, the port refuses connections."""
    async with running(["ok"]) as url:
        port = int(url.rsplit(":", 1)[1])
    with pytest.raises(OSError):
        await trio.open_tcp_stream("127.0.0.1", port)


async def test_bound_socket_refuses_until_it_serves() -> None:
    """Before it is ready the port refuses: nobody waits in a queue for a server that may never come."""
    with bind_socket("127.0.0.1", 0) as bound, pytest.raises(OSError):
        await trio.open_tcp_stream("127.0.0.1", bound.getsockname()[1])
