from datetime import timedelta
from urllib.parse import urlsplit

import trio
from trio.testing import MockClock

from ipaas.testing import VirtualClock
from ipaas.testing.fake_server import FakeServer, reply


async def test_a_day_passes_at_once(virtual_clock: VirtualClock, autojump_clock: MockClock) -> None:
    """With trio's autojump clock beside it, the virtual clock's wall time passes without waiting."""
    before = virtual_clock.now()
    await virtual_clock.sleep(86_400)
    assert virtual_clock.now() - before == timedelta(days=1)


async def test_the_fake_server_listens_and_answers(fake_server: FakeServer) -> None:
    """The fixture's server is a real one, on loopback."""
    fake_server.on("GET", "/", reply(text="here"))
    address = urlsplit(fake_server.url)
    stream = await trio.open_tcp_stream(str(address.hostname), int(address.port or 0))
    async with stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join([chunk async for chunk in stream])
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"here")
