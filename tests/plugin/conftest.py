from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from trio.testing import MockClock

from ipaas.plugin import Connector, Context, HttpClient, HttpPool, RequestRecorder, make_context
from ipaas.testing.fake_server import FakeServer

probe = Connector("probe", credential=["token"], description="a connector without a base URL")


@probe.action(effect="read")
async def nothing(ctx: Context) -> None:
    """Do nothing."""


@pytest.fixture
def fast_clock() -> MockClock:
    """Time that jumps when nothing happens. Sockets are real, so that it waits a moment for what the kernel has in hand."""
    return MockClock(autojump_threshold=0.05)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture
async def pool() -> AsyncIterator[HttpPool]:
    """A pool that may reach loopback."""
    async with HttpPool(["127.0.0.0/8"]) as opened:
        yield opened


MakeHttp = Callable[..., HttpClient]


@pytest.fixture
def make_http(pool: HttpPool) -> MakeHttp:
    """Make the client of one attempt."""

    def make(
        credential: Mapping[str, str] | None = None, *, through: HttpPool | RequestRecorder = pool, **options: Any
    ) -> HttpClient:
        action = Connector("probe", credential=["token"], **options)
        action.action(effect="read", name="nothing")(nothing)
        sink: dict[str, Any] = {"recorder": through} if isinstance(through, RequestRecorder) else {"pool": through}
        return make_context(action.actions[0], credential=credential, idempotency_key="run-1:step", **sink).http

    return make
