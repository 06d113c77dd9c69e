"""What executes runs: the Store, the HTTP pool, the runner.

Owns their making and closing, and the name of this process in leases. Called by `once` and `service`, which own the nursery.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from ipaas.clock import Clock
    from ipaas.engine.observer import Observer
    from ipaas.engine.runner import Runner
    from ipaas.engine.workflows import Workflows
    from ipaas.project import Project
    from ipaas.settings import Settings
    from ipaas.store.contract import Store
    from ipaas.vault import Vault

T = TypeVar("T")


def run_with_store(settings: Settings, function: Callable[[Store], Awaitable[T]]) -> T:
    """Open the Store, await the function, close the Store, and return the answer."""
    import trio

    from ipaas.engine.system_clock import SystemClock
    from ipaas.store import open_store

    async def main() -> T:
        async with open_store(settings.database, SystemClock()) as store:
            return await function(store)

    return trio.run(main)


@dataclass(frozen=True, slots=True)
class Machinery:
    """What executes runs: made together, closed together, run by the caller's nursery."""

    store: Store
    workflows: Workflows
    runner: Runner
    clock: Clock


@asynccontextmanager
async def open_machinery(
    settings: Settings, project: Project, vault: Vault, *, observers: Sequence[Observer], own_only: bool = False
) -> AsyncIterator[Machinery]:
    """Open the Store and the HTTP pool and build the runner.

    Args:
        settings: `database` names the Store.
        own_only: execute only runs that are submitted here, and their children.
    """
    from ipaas.engine.machine import RunnerSettings
    from ipaas.engine.runner import Runner
    from ipaas.engine.system_clock import SystemClock
    from ipaas.engine.workflows import Workflows
    from ipaas.plugin import HttpPool
    from ipaas.store import open_store

    clock = SystemClock()
    async with (
        open_store(settings.database, clock) as store,
        HttpPool([str(network) for network in settings.allow_network]) as pool,
    ):
        workflows = Workflows(store, project.compile_version)
        runner = Runner(
            store=store,
            workflows=workflows,
            actions=project.registry.actions,
            pool=pool,
            clock=clock,
            owner=_make_owner(),
            settings=RunnerSettings(
                limit=settings.max_runs,
                lease_s=settings.lease_s,
                heartbeat_s=settings.heartbeat_s,
                poll_s=settings.poll_s,
                cleanup_s=settings.cleanup_s,
                action_timeout_s=settings.action_timeout_s,
                env=project.read_env(),
                vars=project.settings.vars,
            ),
            credentials=vault.find,
            redact=vault.redactor(),
            observers=observers,
            own_only=own_only,
        )
        yield Machinery(store, workflows, runner, clock)


def _make_owner() -> str:
    """Return a name that no other process has, and this one not again after a restart."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
