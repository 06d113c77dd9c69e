"""What expressions see at a point of a run: the roots by name, and the steps that have ended.

Owns `Scope`, and how a run, a trigger, a step and an error look as plain JSON. Pure. Knows words only; the interpreter's parts make
and extend scopes. A scope is cheap: loops add two names and share everything else, nothing large is ever copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ipaas.model import Json, JsonObject
    from ipaas.run import Run, RunError, StepResult, TriggerInfo


class Scope:
    """Names for expressions. Scopes made by `add` share the steps, those made by `fork` begin with a copy of the list of them.

    Used by the tasks of one run only; a step's entry is set once an attempt at it has ended.
    """

    __slots__ = ("_steps", "roots")

    def __init__(self, roots: Mapping[str, Json], steps: dict[str, Json] | None = None) -> None:
        self._steps: dict[str, Json] = {} if steps is None else steps
        self.roots: dict[str, Json] = {**roots, "steps": self._steps}

    def add(self, names: Mapping[str, Json]) -> Scope:
        """Return a scope with more names; a step set in one is seen in the other."""
        return Scope({**self.roots, **names}, self._steps)

    def fork(self) -> Scope:
        """Return a scope in which steps are set unseen by this one: each item of a loop over a block has its own."""
        return Scope(self.roots, dict(self._steps))

    def set_step(self, result: StepResult, items: list[Json] | None = None) -> None:
        """Show how a step ended; `items` are those of its `for_each`."""
        entry: dict[str, Json] = {
            "status": result.status,
            "output": result.output,
            "error": None if result.error is None else error_as_json(result.error),
        }
        if items is not None:
            entry["items"] = items
        self._steps[result.step] = entry


def make_roots(run: Run, env: Mapping[str, str], variables: JsonObject) -> dict[str, Json]:
    """Return the roots that every expression of a run may name, besides `steps`."""
    return {
        "inputs": run.inputs,
        "trigger": trigger_as_json(run.trigger),
        "run": {"id": run.id, "workflow": run.workflow, "started_at": time_as_json(run.started_at or run.created_at)},
        "env": dict(env),
        "vars": dict(variables),
    }


def trigger_as_json(trigger: TriggerInfo) -> JsonObject:
    """Return the `trigger` root: the names of its type, then those that all have."""
    due = trigger.scheduled_at
    return {
        **trigger.data,
        "type": trigger.type,
        "id": trigger.id,
        "scheduled_at": None if due is None else time_as_json(due),
    }


def error_as_json(error: RunError) -> JsonObject:
    """Return an error as expressions see it; `place` is `file:line:column` or null."""
    return {
        "type": error.type,
        "message": error.message,
        "step": error.step,
        "attempt": error.attempt,
        "place": None if error.place is None else str(error.place),
        "hint": error.hint,
        "retry_after_s": error.retry_after_s,
    }


def time_as_json(when: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC: `2026-03-29T01:30:00Z`."""
    return when.isoformat().replace("+00:00", "Z")
