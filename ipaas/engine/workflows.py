"""Compiled workflows by version, and which of them are active: the engine's view of what the Store keeps as text.

Owns `Workflows`, a bounded cache over the Store. Knows the Store's contract and words; what compiles a text comes in as a function.
Used by the scheduler (what is due), the runner (what to walk, what follows a run) and the command line.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from ipaas.engine.request import make_request, make_trigger_inputs
from ipaas.engine.revisions import Revisions
from ipaas.errors import IpaasError, ProblemsFound
from ipaas.model import After, Place, Problem
from ipaas.run import TriggerInfo
from ipaas.store.contract import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipaas.model import Json, Trigger, Workflow
    from ipaas.run import Outcome, Run, RunRequest
    from ipaas.store.contract import Store

CACHED_VERSIONS: Final = 512
"""Compiled versions kept besides the active ones, of runs that are pinned to an older text: some 50 kB each."""

PAGE: Final = 500

_log = logging.getLogger("ipaas.workflows")


@dataclass(frozen=True, slots=True)
class _Active:
    """A tenant's active workflows at a revision.

    Attributes:
        compiled: by id and version, in the order of the ids; what does not compile stands there with its problems.
        followers: `after` triggers with their workflows, by the workflow they wait for.
    """

    revision: int
    compiled: Mapping[tuple[str, str], Workflow | ProblemsFound]
    workflows: tuple[Workflow, ...]
    followers: Mapping[str, list[tuple[Workflow, Trigger]]]


class Workflows:
    """Compiled workflows. Any task of the process may call it; it owns no task, and a cancel leaves it usable.

    Args:
        store: keeps the texts.
        compile: makes a workflow from a kept text; raises `ProblemsFound` when it does not pass the checks (any more: a plugin may
            be gone). Its answer for a version is final for the life of this object.
    """

    def __init__(self, store: Store, compile: Callable[[Version], Workflow]) -> None:
        self._store = store
        self._revisions = Revisions(store)
        self._compile = compile
        self._compiled: OrderedDict[tuple[str, str, str], Workflow | ProblemsFound] = OrderedDict()
        self._active: dict[str, _Active] = {}

    async def get(self, tenant: str, workflow: str, version: str) -> Workflow:
        """Return a version of a workflow, compiled.

        Raises:
            Missing: the Store has no such version.
            ProblemsFound: it does not compile here.
            StoreUnavailable: it is not in the cache and the Store is away.
        """
        compiled = self._find(tenant, workflow, version)
        if compiled is None:
            compiled = self._keep(tenant, await self._store.get_version(tenant, workflow, version))
        if isinstance(compiled, ProblemsFound):
            raise ProblemsFound(compiled.problems)
        return compiled

    async def list_active(self, tenant: str) -> tuple[Workflow, ...]:
        """Return a tenant's active workflows by id; read again only when the Store's revision has moved. One that does not compile
        is left out, and logged once for each of its versions."""
        return (await self._read_active(tenant)).workflows

    async def list_followers(self, tenant: str, run: Run, outcome: Outcome) -> list[RunRequest]:
        """Return the requests of the `after` triggers that wait for such an end of the run's workflow.

        One whose inputs cannot be made is logged and left out: it must not keep the run from ending.
        """
        active = await self._read_active(tenant)
        requests = []
        for workflow, trigger in active.followers.get(run.workflow, ()):
            if isinstance(trigger.timing, After) and outcome.state in trigger.timing.states:
                try:
                    requests.append(_make_follower(workflow, trigger, run, outcome))
                except IpaasError as error:
                    facts = {"action": "follower_failed", "tenant": tenant, "workflow": workflow.id, "run": run.id}
                    message = "a run that follows could not be made: %s"
                    _log.error(message, error.message, extra={"facts": facts})
        return requests

    async def _read_active(self, tenant: str) -> _Active:
        # The revision is read before the rows: a change that comes between makes the next reading see another one.
        revision = await self._revisions.read(tenant)
        before = self._active.get(tenant)
        if before is not None and before.revision == revision:
            return before
        compiled = await self._compile_active(tenant)
        for key, each in compiled.items():
            if isinstance(each, ProblemsFound) and (before is None or key not in before.compiled):
                facts = {"action": "workflow_broken", "tenant": tenant, "workflow": key[0], "version": key[1]}
                _log.error("an active workflow cannot run: %s", each.problems[0], extra={"facts": facts})
        workflows = tuple(each for each in compiled.values() if not isinstance(each, ProblemsFound))
        active = _Active(revision, compiled, workflows, _find_followers(workflows))
        self._active[tenant] = active
        return active

    async def _compile_active(self, tenant: str) -> dict[tuple[str, str], Workflow | ProblemsFound]:
        found: dict[tuple[str, str], Workflow | ProblemsFound] = {}
        cursor: str | None = None
        while True:
            page = await self._store.list_workflows(tenant, cursor=cursor, limit=PAGE)
            for stored in page.items:
                if stored.active:
                    text = Version(workflow=stored.id, version=stored.version, path=stored.path, source=stored.source)
                    found[text.workflow, text.version] = self._find(tenant, text.workflow, text.version) or self._keep(
                        tenant, text
                    )
                    await (
                        trio.lowlevel.checkpoint()
                    )  # compiling takes milliseconds; a thousand of them must not hold up the runs
            cursor = page.cursor
            if cursor is None:
                return found

    def _find(self, tenant: str, workflow: str, version: str) -> Workflow | ProblemsFound | None:
        active = self._active.get(tenant)
        if active is not None and (found := active.compiled.get((workflow, version))) is not None:
            return found
        key = (tenant, workflow, version)
        if key in self._compiled:
            self._compiled.move_to_end(key)
        return self._compiled.get(key)

    def _keep(self, tenant: str, text: Version) -> Workflow | ProblemsFound:
        compiled: Workflow | ProblemsFound
        try:
            compiled = self._compile(text)
        except ProblemsFound as error:
            compiled = ProblemsFound(error.problems)  # without the traceback, which keeps frames alive
        except Exception as error:  # noqa: BLE001  # one text that breaks the compiler costs its own workflow only
            facts = {"action": "compiler_failed", "tenant": tenant, "workflow": text.workflow, "version": text.version}
            _log.exception("a text broke the compiler", extra={"facts": facts})
            message = f"the compiler failed: {type(error).__name__}"
            compiled = ProblemsFound([Problem(Place(text.path), message, "compiler-failed")])
        self._compiled[tenant, text.workflow, text.version] = compiled
        if len(self._compiled) > CACHED_VERSIONS:
            self._compiled.popitem(last=False)
        return compiled


def _find_followers(workflows: Sequence[Workflow]) -> dict[str, list[tuple[Workflow, Trigger]]]:
    followers: dict[str, list[tuple[Workflow, Trigger]]] = {}
    for workflow in workflows:
        for trigger in workflow.triggers:
            if isinstance(trigger.timing, After):
                followers.setdefault(trigger.timing.workflow, []).append((workflow, trigger))
    return followers


def _make_follower(workflow: Workflow, trigger: Trigger, run: Run, outcome: Outcome) -> RunRequest:
    data: dict[str, Json] = {
        "workflow": run.workflow,
        "run_id": run.id,
        "state": outcome.state,
        "outputs": outcome.outputs,
    }
    info = TriggerInfo(type="after", id=trigger.id, data=data)
    return make_request(
        workflow,
        inputs=make_trigger_inputs(trigger, info),
        trigger=info,
        delivery=f"{trigger.id}@{run.id}",
        overlap=trigger.overlap,
    )
