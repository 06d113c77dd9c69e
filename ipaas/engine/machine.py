"""All that a live run needs of the process around it, in one value.

Owns `Machine` and `RunnerSettings`. Knows types only. Made by the runner from what the composition root gave it; read by the live host,
the child task and the child runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from ipaas.clock import Clock
    from ipaas.engine.observer import Observers
    from ipaas.engine.workflows import Workflows
    from ipaas.model import Json, JsonObject
    from ipaas.plugin.action import Action
    from ipaas.plugin.http_pool import HttpPool
    from ipaas.store.contract import Store

    Redact: TypeAlias = Callable[[Json], Json]
    """Takes secrets out of a value of any shape and returns one of the same shape."""

    FindCredential: TypeAlias = Callable[[str, str], Mapping[str, str] | None]
    """Tenant and name → the credential's fields, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How one process runs.

    Attributes:
        limit: runs that execute at once; a run that waits for a child does not count.
        lease_s: after which silence another server may take a run over.
        heartbeat_s: between two renewals of all leases.
        poll_s: between two looks for runs that another server submitted.
        cleanup_s: that a cancelled run's cleanup may take.
        action_timeout_s: of each attempt at an action whose step says nothing.
        flush_s: that notes may wait before they are seen in the Store.
        finish_s: that the end of a run may take to be written while the Store is away.
        env: environment variables that expressions may read.
    """

    limit: int = 100
    lease_s: float = 30.0
    heartbeat_s: float = 5.0
    poll_s: float = 1.0
    cleanup_s: float = 10.0
    action_timeout_s: float = 60.0
    flush_s: float = 0.2
    finish_s: float = 10.0
    env: Mapping[str, str] = field(default_factory=dict)
    vars: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What runs share in one process."""

    store: Store
    workflows: Workflows
    actions: Mapping[str, Action]
    pool: HttpPool | None
    clock: Clock
    settings: RunnerSettings
    credentials: FindCredential
    redact: Redact
    observers: Observers
