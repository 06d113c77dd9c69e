"""The listening socket, inside our nursery.

Owns the address rule, the web server's configuration and its end. Knows anycorn and no route. Called by `ipaas.app`.
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import trio
from anycorn import Config, serve

from ipaas.errors import InputError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

GRACE_S: Final = 2.0
"""Seconds that open requests get once the server is told to stop; health answers take milliseconds."""


def require_loopback(host: str) -> None:
    """Raise `InputError` unless only this machine can reach the address."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        raise InputError(f"`{host}` is no IP address", hint="use `127.0.0.1` or `::1`") from None
    if not loopback:
        raise InputError(
            f"`{host}` can be reached from other machines, and this version has no access tokens to guard it",
            hint="use `127.0.0.1`, and put a proxy that asks for a password in front of it",
        )


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket that does not listen yet: connections are refused until everything behind it is ready.

    Args:
        host: a loopback address.
        port: 0 takes a free one.

    Raises:
        InputError: the address is not a loopback one, or cannot be had.
    """
    require_loopback(host)
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    # Lets a restarted server have its port back at once; it does not take the port from one that listens.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InputError(
            f"cannot listen on `{host}` port {port}: {(error.strerror or str(error)).lower()}",
            hint="choose another port with `--port`, or `--port 0` for a free one",
        ) from error
    return bound


async def serve_http(
    app: ASGIApp,
    bound: socket.socket,
    stop: trio.Event,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen and serve until `stop` is set; then refuse new connections, let open requests end, and return.

    It is ended by `stop`: a cancel would cut open answers off. Takes the socket over. Reports `http://host:port` once it listens.
    """
    config = Config()
    config.bind = [f"fd://{bound.detach()}"]
    config.accesslog = None
    config.errorlog = logging.getLogger("anycorn.error")  # heard from `warning` on, like every library
    config.alpn_protocols = ["http/1.1"]
    config.graceful_timeout = GRACE_S
    config.include_server_header = False

    framework: Any = app  # anycorn spells out every ASGI message; Starlette's own type says the same in fewer words
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(partial(serve, framework, config, shutdown_trigger=stop.wait))
        task_status.started(urls[0])
