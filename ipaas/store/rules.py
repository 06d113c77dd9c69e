"""Decisions that every Store takes alike, as pure functions and constants.

Owns the words of refusals, which end a run may have from which state, the bounds of logs and values, and cursors. Knows no database.
Called by every backend, so that none can differ from another in what a person reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.errors import Conflict, FenceLost, Missing, StoreError
from ipaas.run import TERMINAL

if TYPE_CHECKING:
    from ipaas.run import Lease, RunState

MAX_RECOVERIES: Final = 3
"""A run whose lease runs out once more after that many recoveries takes servers down with it: it becomes `dead_letter`."""

MAX_STATE_BYTES: Final = 64 * 1024
"""Bytes of JSON that one value of connector state may have."""

NOT_ACTIVE: Final = "workflow is not active"
REMOVED: Final = "workflow was removed"
UNKNOWN: Final = "workflow is not known"
TRIGGER_GONE: Final = "trigger is gone"
BEFORE_SCHEDULE: Final = "the schedule began after this instant"
PARENT_ENDED: Final = "the run that asked for it has ended"
PARENT_CANCELLED: Final = "the run that asked for it was cancelled"
SWITCHED_OFF: Final = "the workflow was switched off"
SUPERSEDED: Final = "a newer run takes its place"

WAITS_FOR_EARLIER: Final = frozenset({"queue", "cancel_running"})
"""The kinds of `overlap` whose run may not start before every earlier run of its workflow has ended."""

FINISHES: Final[dict[str, frozenset[RunState]]] = {
    "running": frozenset({"succeeded", "failed", "cancelled", "timed_out", "interrupted"}),
    "queued": frozenset({"cancelled", "skipped", "dead_letter"}),
}
"""The terminal states that an owner may write, by the state it finds (the machine in `ipaas.run`)."""


def overlap_reason(run_id: str) -> str:
    """Say why `overlap: skip` skipped."""
    return f"run `{run_id}` is not finished"


def full_reason(slot: str, limit: int) -> str:
    """Say why `when_full: skip` skipped."""
    return f"{limit} unfinished run{' fills' if limit == 1 else 's fill'} the slot `{slot}`"


def cancel_detail(reason: str) -> str:
    """Say in an event that somebody wants a running run ended."""
    return f"cancel requested: {reason}" if reason else "cancel requested"


def release_detail(owner: str) -> str:
    """Say in an event that an owner gave a run back."""
    return f"released by `{owner}`"


def lost_detail(owner: str) -> str:
    """Say in an event that an owner was lost."""
    return f"lease of `{owner}` ran out"


def recovery_detail(owner: str, recovery: int) -> str:
    """Say in an event that an owner was lost and the run is taken over."""
    return f"lease of `{owner}` ran out: recovery {recovery}"


def dead_letter_reason(owner: str) -> str:
    """Say why a run is given up."""
    return f"its owner was lost {MAX_RECOVERIES + 1} times, the last was `{owner}`"


def missing_workflow(workflow: str) -> Missing:
    """Make the refusal for an id that is not there."""
    return Missing(f"there is no workflow `{workflow}`", hint="list the ones there are with `ipaas workflows list`")


def missing_version(workflow: str, version: str) -> Missing:
    """Make the refusal for a text that was never put."""
    return Missing(f"workflow `{workflow}` has no version `{version[:12]}`", hint="sync the file that has this text")


def missing_run(run_id: str) -> Missing:
    """Make the refusal for an id that is not there, or not this tenant's."""
    return Missing(f"there is no run `{run_id}`", hint="list the ones there are with `ipaas runs list`")


def fence_lost(lease: Lease) -> FenceLost:
    """Make the refusal for a void lease."""
    return FenceLost(f"run `{lease.run_id}` is no longer owned by `{lease.owner}` with fence {lease.fence}")


def already_started(lease: Lease) -> Conflict:
    """Make the refusal for a second start with one lease: a run's steps must not walk twice at once."""
    return Conflict(f"run `{lease.run_id}` was started before with fence {lease.fence}")


def check_end(run_id: str, found: RunState, end: RunState) -> None:
    """Raise `Conflict` unless the machine has an edge from `found` to the terminal state `end`."""
    if end not in FINISHES.get(found, ()):
        kind = "no edge of the state machine" if end in TERMINAL else "not an end"
        raise Conflict(f"run `{run_id}` is `{found}` and cannot finish as `{end}`: that is {kind}")


def check_state_size(scope: str, key: str, text: str) -> None:
    """Raise `StoreError` when a value is too large to keep."""
    size_bytes = len(text.encode())
    if size_bytes > MAX_STATE_BYTES:
        raise StoreError(
            f"value `{key}` of `{scope}` has {size_bytes} bytes as JSON, more than {MAX_STATE_BYTES}",
            hint="keep a cursor or an id, and the data itself elsewhere",
        )


def bound_limit(limit: int) -> int:
    """Return a page size that is at least one."""
    return max(1, limit)


def read_cursor(cursor: str | None, start: int) -> int:
    """Return the number that a cursor stands for, or `start` without one. Raises `Conflict` on any other text."""
    if cursor is None:
        return start
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise bad_cursor(cursor)
    return int(cursor)


def tick_cursor(due_us: int, trigger: str) -> str:
    """Return the cursor behind an entry of the ledger."""
    return f"{due_us}@{trigger}"


def read_tick_cursor(cursor: str) -> tuple[int, str]:
    """Return due instant (microseconds) and trigger that a cursor of the ledger stands for."""
    due, separator, trigger = cursor.partition("@")
    number = due.removeprefix("-")
    if not (separator and number.isascii() and number.isdigit() and len(number) < 19):
        raise bad_cursor(cursor)
    return int(due), trigger


def bad_cursor(cursor: str) -> Conflict:
    """Make the refusal for a cursor that no page gave."""
    return Conflict(f"`{cursor[:40]}` is not a cursor of this list", hint="leave it out to read from the beginning")
