"""The fake is used by everybody's tests, so that it is tested itself."""

import socket

import pytest
import trio

from ipaas.testing.fake_server import FakeServer, hang, reply, reset, send_raw


async def talk(server: FakeServer, request: bytes) -> bytes:
    """Send bytes and return all that comes back before the connection ends."""
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    async with stream:
        await stream.send_all(request)
        return b"".join([piece async for piece in stream])


async def test_request_is_recorded_as_sent(server: FakeServer) -> None:
    """Method, path, query, headers and body of a request are there to be compared."""
    server.on("POST", "/a", reply(status=201, json={"ok": True}, ending="close"))
    answer = await talk(
        server, b'POST /a?x=1&y=%20 HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 8\r\n\r\n{"a": 1}'
    )
    received = server.requests[0]
    assert (received.method, received.path, received.query) == ("POST", "/a", {"x": "1", "y": " "})
    assert (received.headers["x-one"], received.json(), received.connection) == ("1", {"a": 1}, 1)
    assert answer == (
        b'HTTP/1.1 201 Because\r\nContent-Length: 12\r\nContent-Type: application/json\r\n\r\n{"ok": true}'
    )


async def test_answers_are_used_in_order_and_the_last_stays(server: FakeServer) -> None:
    """The answers of a route follow each other on one connection; a route that was not scripted is a 404."""
    server.on("GET", "/", reply(text="one"), lambda received: reply(text=received.path, status=203), send_raw(b"last"))
    get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    answers = await talk(server, get * 3)
    assert [piece in answers for piece in (b"\r\n\r\none", b"203 Because", b"\r\n\r\n/last")] == [True, True, True]
    assert await talk(server, get) == b"last"
    assert b"404 Because" in await talk(server, b"GET /other HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")


async def test_reset_reaches_the_client(server: FakeServer) -> None:
    """A reset is a reset on the wire, not an orderly end."""
    server.on("GET", "/", reset())
    with pytest.raises(trio.BrokenResourceError) as caught:
        await talk(server, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_hanging_client_is_noticed_when_it_leaves(server: FakeServer) -> None:
    """A test can wait until the request is in, and until the client has given up."""
    server.on("GET", "/", hang())
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await server.wait_requests(1)
    await server.wait_disconnects(1)
    assert len(server.requests) == 1


async def test_rubbish_does_not_end_the_server(server: FakeServer) -> None:
    """A client that speaks no HTTP costs its own connection only."""
    server.on("GET", "/", reply(text="ok", ending="close"))
    assert await talk(server, b"\x16\x03\x01\r\n\r\n") == b""
    assert (await talk(server, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")).endswith(b"ok")
