"""Which network addresses may be connected to, and the connecting.

Owns `AddressGuard`, a network backend of httpcore2: it resolves, judges every address before it connects to it, and connects to that
address, never to a name. So names, redirects, and names that change their address between two look-ups make no difference.
Knows nothing of HTTP. Owned by `http_pool`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import httpcore2
import trio
from ssrfguard import BlockedAddressError, Policy

from ipaas.errors import Fatal, InputError, StepError

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → addresses as text, best first. Raises `socket.gaierror`."""
Address: TypeAlias = IPv4Address | IPv6Address

ATTEMPT_HEAD_START_S: Final = 0.25
"""How long one address is tried before the next is tried beside it (RFC 8305, section 5)."""
MAX_ADDRESSES: Final = 8
"""A name may claim hundreds of addresses; no more are tried."""


class AddressGuard(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that are global or allow-listed, and refuses all others.

    One for each pool; used from any task. A cancel leaves no open socket.

    Args:
        allow_networks: CIDRs that may be reached though they are not global.
        resolve: looks names up; default: the machine's resolver.

    Raises:
        InputError: an entry is no network, or would open a prefix that carries IPv4 addresses.
    """

    def __init__(self, allow_networks: Sequence[str] = (), *, resolve: Resolver | None = None) -> None:
        try:
            self._policy = Policy(allowed_networks=read_networks(allow_networks))
        except ValueError as error:
            raise InputError(f"`--allow-network`: {error}") from error
        self._resolve = resolve or resolve_with_system

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface's name; the pool's total deadline is what counts
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, judge, connect.

        Raises:
            Fatal: no address of the host may be connected to, or the name does not exist.
            StepError: of type `server_error`: the look-up failed, or no address answered.
        """
        addresses = self.judge(host, await self._look_up(host, port))
        return await _connect_first(addresses, host, port)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface's name
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: no URL means a Unix socket."""
        raise Fatal("connections to Unix sockets are not allowed")

    async def sleep(self, seconds: float) -> None:
        """Wait between httpcore2's own connection attempts, of which we ask for none."""
        await trio.sleep(seconds)

    def judge(self, host: str, candidates: Sequence[str]) -> list[Address]:
        """Return the addresses that may be connected to, in order.

        Raises:
            Fatal: none may; says which address was refused, why, and how an operator allows it.
        """
        allowed: list[Address] = []
        refused: tuple[Address, str] | None = None
        for text in candidates[:MAX_ADDRESSES]:
            address = _read_address(text)
            try:
                self._policy.check_address(address)
            except BlockedAddressError as error:
                refused = refused or (address, error.reason)
            else:
                allowed.append(address)
        if allowed:
            return allowed
        if refused is None:
            raise Fatal(f"`{host}` has no address", hint="check the host name")
        address, reason = refused
        where = f"`{host}`" if str(address) == host else f"`{host}` is at `{address}`, which"
        raise Fatal(
            f"{where} may not be connected to: {reason}",
            hint=f"if this server may reach it, start it with `--allow-network {ip_network(address)}` "
            "or add that to `IPAAS_ALLOW_NETWORK`",
        )

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        try:
            ip_address(host)
        except ValueError:
            pass
        else:
            return [host]
        try:
            return await self._resolve(host, port)
        except socket.gaierror as error:
            if error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}:
                raise Fatal(
                    f"the host `{host}` does not exist", hint="check the host name, and this machine's DNS"
                ) from error
            raise StepError(f"looking up `{host}` failed: {error.strerror}", type="server_error") from error
        except UnicodeError as error:
            raise Fatal(f"the host name `{host}` cannot be looked up: {error}", hint="check the host name") from error


def read_networks(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks, a bare address meaning itself alone.

    Raises:
        InputError: an entry is no network; names it.
    """
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip(), strict=False))
        except ValueError:
            raise InputError(
                f"`{text}` is not a network",
                hint="write `--allow-network 10.0.0.0/8`, or one address such as `127.0.0.1`",
            ) from None
    return tuple(networks)


async def resolve_with_system(host: str, port: int) -> list[str]:
    """Return the host's addresses as the machine's resolver orders them. A look-up that hangs is abandoned by a cancel."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _read_address(text: str) -> Address:
    """Return the address that is judged and connected to: an IPv4 address in IPv6 clothes is the IPv4 address."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


async def _connect_first(addresses: Sequence[Address], host: str, port: int) -> httpcore2.AsyncNetworkStream:
    """Connect to the first address that answers, each with a head start over the next (RFC 8305, without its sorting)."""
    backend = httpcore2.TrioBackend()
    winners: list[httpcore2.AsyncNetworkStream] = []
    failures: list[httpcore2.ConnectError] = []

    async def attempt(address: Address, failed: trio.Event) -> None:
        try:
            # A literal address: nothing is looked up again.
            stream = await backend.connect_tcp(str(address), port)
        except httpcore2.ConnectError as error:
            failures.append(error)
            failed.set()
        else:
            winners.append(stream)
            nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for address in addresses:
                failed = trio.Event()
                nursery.start_soon(attempt, address, failed)
                with trio.move_on_after(ATTEMPT_HEAD_START_S):
                    await failed.wait()
    except BaseException:
        await _close(winners)
        raise
    if winners:
        await _close(winners[1:])
        return winners[0]
    raise StepError(
        f"could not connect to `{host}` port {port}: {_explain(failures[0])}",
        type="server_error",
        hint="check that it is running and listens there",
    )


async def _close(streams: Sequence[httpcore2.AsyncNetworkStream]) -> None:
    """Close streams at once, also while the task is being cancelled."""
    with trio.CancelScope(shield=True):
        for stream in streams:
            await stream.aclose()


def _explain(error: BaseException) -> str:
    """Return the operating system's reason, which stands somewhere down the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.errno is not None:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    return str(error)
