import socket
from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from ipaas.errors import StepError
from ipaas.plugin import HttpPool, make_context
from ipaas.plugin.address_guard import AddressGuard
from ipaas.testing.fake_server import FakeServer, redirect, reply
from tests.plugin.conftest import probe


class Names:
    """A resolver that answers each look-up of a name with the next of its answers."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        given = self.answers.get(host)
        if given is None:
            raise socket.gaierror(socket.EAI_NONAME, "name or service not known")
        return given.pop(0) if len(given) > 1 else given[0]


async def fetch(url: str, resolve: Names, allow: Sequence[str] = ()) -> str:
    async with HttpPool(allow, resolve=resolve) as pool:
        return (await make_context(probe.actions[0], pool=pool).http.get(url)).text


DENIED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1",
    "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
    "2002:7f00:1::1", "2001:0:7f00:1::", "fec0::1",
]  # fmt: skip


@pytest.mark.parametrize("address", DENIED)
def test_address_that_is_not_global_is_refused(address: str) -> None:
    """Loopback, private, link-local, metadata, multicast, documentation addresses are refused, also in an IPv6 wrapper."""
    with pytest.raises(StepError, match="may not be connected to") as caught:
        AddressGuard().judge("host", [address])
    assert caught.value.type == "client_error"
    assert "--allow-network" in caught.value.hint
    assert "IPAAS_ALLOW_NETWORK" in caught.value.hint


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_global_address_is_allowed(address: str) -> None:
    """Global addresses may be connected to, also global ones in a wrapper."""
    assert len(AddressGuard().judge("host", [address])) == 1


def test_refusal_names_address_reason_and_cure() -> None:
    """The message says where the name led and why that is refused, the hint how to allow exactly that."""
    with pytest.raises(StepError) as caught:
        AddressGuard().judge("db.example.com", ["10.0.0.7"])
    assert caught.value.message == (
        "`db.example.com` is at `10.0.0.7`, which may not be connected to: 10.0.0.0/8 is Private-Use (RFC1918)"
    )
    assert caught.value.hint == (
        "if this server may reach it, start it with `--allow-network 10.0.0.7/32` or add that to `IPAAS_ALLOW_NETWORK`"
    )


def test_allowed_network_is_allowed_in_every_dress() -> None:
    """An allowed IPv4 network covers the same addresses mapped into IPv6, and nothing beside it."""
    guard = AddressGuard(["10.0.0.0/8"])
    assert [str(address) for address in guard.judge("h", ["10.1.1.1", "::ffff:10.1.1.1", "192.168.0.1"])] == [
        "10.1.1.1",
        "10.1.1.1",
    ]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"]
)
async def test_no_spelling_of_loopback_gets_through(server: FakeServer, host: str) -> None:
    """However loopback is written, and whoever reads it, no connection is made."""
    async with HttpPool() as pool:
        with pytest.raises(StepError) as caught:
            await make_context(probe.actions[0], pool=pool).http.get(f"http://{host}:{server.port}/")
    assert caught.value.type == "client_error"
    assert server.connections == 0


async def test_name_that_leads_inside_is_refused(server: FakeServer) -> None:
    """A public name that resolves to loopback makes no connection."""
    with pytest.raises(StepError, match=r"`intern\.example\.com` is at `127\.0\.0\.1`"):
        await fetch(f"http://intern.example.com:{server.port}/", Names(intern_example_com=[["127.0.0.1"]]))
    assert server.connections == 0


async def test_redirect_inside_is_refused(server: FakeServer) -> None:
    """A redirect is judged like a first request: neither an address nor a name leads to the metadata service."""
    names = Names(public_test=[["127.0.0.1"]], evil_test=[["169.254.169.254"]])
    for target in ("http://169.254.169.254/latest", "http://evil.test/latest"):
        server.on("GET", "/", redirect(target))
        with pytest.raises(StepError, match=r"169\.254\.169\.254.* may not be connected to"):
            await fetch(f"http://public.test:{server.port}/", names, ["127.0.0.1"])


async def test_name_that_moves_between_two_lookups_is_judged_again(server: FakeServer) -> None:
    """A name that first led to an allowed address and then elsewhere is refused on the second connection: nothing is remembered."""
    server.on("*", "*", reply(text="ok", headers={"Connection": "close"}, ending="close"))
    names = Names(moving_test=[["127.0.0.1"], ["127.0.0.2"]])
    async with HttpPool(["127.0.0.1/32"], resolve=names) as pool:
        http = make_context(probe.actions[0], pool=pool).http
        assert (await http.get(f"http://moving.test:{server.port}/")).text == "ok"
        with pytest.raises(StepError, match=r"at `127\.0\.0\.2`, which may not"):
            await http.get(f"http://moving.test:{server.port}/")
    assert names.asked == ["moving.test", "moving.test"]


async def test_name_is_looked_up_once_a_connection(server: FakeServer) -> None:
    """What was judged is what is connected to: the name is not looked up a second time in between."""
    server.on("*", "*", reply(text="ok"))
    names = Names(once_test=[["127.0.0.1"], ["10.0.0.1"]])
    assert await fetch(f"http://once.test:{server.port}/", names, ["127.0.0.1"]) == "ok"
    assert names.asked == ["once.test"]


async def test_next_address_is_tried(server: FakeServer) -> None:
    """When the first address refuses, the next one is tried."""
    server.on("*", "*", reply(text="ok"))
    names = Names(two_test=[["::1", "127.0.0.1"]])
    assert await fetch(f"http://two.test:{server.port}/", names, ["127.0.0.0/8", "::1"]) == "ok"


async def test_forbidden_addresses_of_a_name_are_passed_over(server: FakeServer) -> None:
    """Of a name with allowed and forbidden addresses only the allowed ones are connected to."""
    server.on("*", "*", reply(text="ok"))
    names = Names(mixed_test=[["10.0.0.1", "127.0.0.1"]])
    assert await fetch(f"http://mixed.test:{server.port}/", names, ["127.0.0.1"]) == "ok"


async def test_unknown_host_is_not_retried() -> None:
    """A host that does not exist is a client error: asking again helps nobody."""
    with pytest.raises(StepError) as caught:
        await fetch("http://nowhere.test/", Names())
    assert (caught.value.type, caught.value.message) == ("client_error", "the host `nowhere.test` does not exist")


async def test_failing_lookup_is_a_server_error() -> None:
    """A look-up that fails for now may be tried again."""

    async def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")

    async with HttpPool(resolve=resolve) as pool:
        with pytest.raises(StepError) as caught:
            await make_context(probe.actions[0], pool=pool).http.get("http://some.test/")
    assert (caught.value.type, caught.value.message) == (
        "server_error",
        "looking up `some.test` failed: temporary failure",
    )


async def test_deadline_counts_the_lookup(fast_clock: MockClock) -> None:
    """A resolver that never answers costs the deadline and no more."""

    async def resolve(host: str, port: int) -> list[str]:
        await trio.sleep(3600)
        return []

    async with HttpPool(resolve=resolve, timeout_s=5) as pool:
        with pytest.raises(StepError) as caught:
            await make_context(probe.actions[0], pool=pool).http.get("http://some.test/")
    assert caught.value.type == "timeout"
    assert trio.current_time() == pytest.approx(5, abs=0.5)


async def test_unix_sockets_are_refused() -> None:
    """No request reaches a Unix socket."""
    with pytest.raises(StepError, match="Unix sockets are not allowed"):
        await AddressGuard(["0.0.0.0/0"]).connect_unix_socket("/var/run/docker.sock")
