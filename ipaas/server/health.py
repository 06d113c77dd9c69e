"""The HTTP application: `/healthz`, and nothing else in this version.

Owns the routes. Knows no Store and no runner; it is told how to find out how things are. `ipaas.app` builds it, `ipaas.server.listen`
serves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

Health = Literal["ok", "draining", "store_unavailable"]

RETRY_AFTER_S: Final = "5"


def make_http_app(check: Callable[[], Awaitable[Health]]) -> Starlette:
    """Return the application.

    Args:
        check: says how things are, quickly.
    """

    async def healthz(_: Request) -> JSONResponse:
        """Answer 200 when this process can take work, else 503: what load balancers and service managers ask."""
        health = await check()
        if health == "ok":
            return JSONResponse({"status": health})
        return JSONResponse({"status": health}, status_code=503, headers={"Retry-After": RETRY_AFTER_S})

    return Starlette(routes=[Route("/healthz", healthz, methods=["GET"])])
