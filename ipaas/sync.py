"""What a sync would change: the difference between the pipelines folder and the Store.

Owns `diff` and `to_change`, both pure, and the fingerprint that says whether a trigger's schedule is still the same one. Knows the
words and the Store's contract; reads no file and no database. Called by `ipaas.app`; the command line renders a `Plan`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from ipaas.model import After, At, Cron, Every
from ipaas.store.contract import Change, WorkflowText

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipaas.model import Timing, Workflow
    from ipaas.store.contract import StoredWorkflow

Action = Literal["add", "change", "remove", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What becomes of one workflow.

    Attributes:
        path: of the file; for a removal, where it was.
        active: whether it will be active. For an addition what the file says: an id that the Store has known before keeps the
            state it had, which only the Store knows.
        reasons: why it changes (`text`, `path`); empty otherwise.
    """

    id: str
    action: Action
    path: str
    active: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The difference, by id."""

    entries: tuple[Entry, ...] = ()
    texts: tuple[WorkflowText, ...] = ()

    @property
    def added(self) -> tuple[Entry, ...]:
        """Workflows that the Store does not have."""
        return self._select("add")

    @property
    def changed(self) -> tuple[Entry, ...]:
        """Workflows whose text or file is another one."""
        return self._select("change")

    @property
    def removed(self) -> tuple[Entry, ...]:
        """Workflows whose file is gone."""
        return self._select("remove")

    @property
    def unchanged(self) -> tuple[Entry, ...]:
        """Workflows that stay as they are."""
        return self._select("keep")

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(entry.action == "keep" for entry in self.entries)

    def _select(self, action: Action) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.action == action)


def diff(stored: Iterable[StoredWorkflow], compiled: Iterable[Workflow]) -> Plan:
    """Return what makes the Store equal to the folder. Ids in `compiled` are unique: the compiler has seen to it."""
    before = {workflow.id: workflow for workflow in stored}
    after = {workflow.id: workflow for workflow in compiled}
    entries = tuple(_compare(before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys()))
    moved = {entry.id for entry in entries if entry.action in {"add", "change"}}
    return Plan(entries=entries, texts=tuple(to_text(after[name]) for name in sorted(moved)))


def to_change(plan: Plan) -> Change:
    """Return the plan as the Store takes it."""
    return Change(put=plan.texts, remove=tuple(entry.id for entry in plan.removed))


def to_text(workflow: Workflow) -> WorkflowText:
    """Return a compiled workflow as the Store keeps it."""
    return WorkflowText(
        id=workflow.id,
        version=workflow.version,
        path=workflow.path,
        source=workflow.source,
        description=workflow.description,
        labels=workflow.labels,
        active=workflow.active,
        triggers={trigger.id: fingerprint(trigger.timing) for trigger in workflow.triggers},
    )


def fingerprint(timing: Timing) -> str:
    """Return 16 hex digits that are equal exactly when two timings expect the same instants.

    What happens at an instant (`overlap`, `missed`, inputs) is not part of it: changing that does not begin a new schedule.
    """
    match timing:
        case Cron(expression=expression, timezone=timezone):
            parts = ["cron", " ".join(expression.split()), timezone]
        case Every(interval_s=interval_s):
            parts = ["every", repr(float(interval_s))]
        case At(when=when):
            parts = ["at", repr(when.timestamp())]
        case After(workflow=workflow, states=states):
            parts = ["after", workflow, *sorted(states)]
        case _:
            assert_never(timing)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _compare(before: StoredWorkflow | None, after: Workflow | None) -> Entry:
    if after is None:
        assert before is not None, "an id comes from one side at least"
        return Entry(id=before.id, action="remove", path=before.path, active=False)
    if before is None:
        return Entry(id=after.id, action="add", path=after.path, active=after.active)
    reasons = [
        name
        for name, same in (("text", before.version == after.version), ("path", before.path == after.path))
        if not same
    ]
    action: Action = "change" if reasons else "keep"
    return Entry(id=after.id, action=action, path=after.path, active=before.active, reasons=tuple(reasons))
