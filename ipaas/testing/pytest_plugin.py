"""The pytest plugin that comes with ipaas: fixtures for those who test connectors and pipelines.

Owns the fixtures `fake_server` and `virtual_clock`. Loaded by pytest through its entry point in every environment that has ipaas, so it
imports nothing heavy before a test asks for it. Needs `pytest-trio`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ipaas.testing.fake_server import FakeServer
    from ipaas.testing.virtual_clock import VirtualClock


@pytest.fixture
async def fake_server() -> AsyncIterator[FakeServer]:
    """A real HTTP server on a free port of 127.0.0.1, for the length of one test."""
    from ipaas.testing.fake_server import FakeServer

    async with FakeServer() as server:
        yield server


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """A `Clock` whose wall time passes with trio's. A test that also names `autojump_clock` waits for nothing: pytest-trio takes
    trio's clock from the test's own arguments only."""
    from ipaas.testing.virtual_clock import VirtualClock

    return VirtualClock()
