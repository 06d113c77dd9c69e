"""Transactions on runs as people and triggers see them, and on their journal (R1 to R5, J1, J2). Called by `SqlStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.run import TERMINAL, RunEvent
from ipaas.store import rules
from ipaas.store.codec import LINE_COLUMNS, STEP_COLUMNS, fit_lines, from_us
from ipaas.store.sql.admission import admit, ask_end
from ipaas.store.sql.run_rows import LISTED_RUN, RUN, get_held, get_seq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.run import Lease, Submitted
    from ipaas.store.codec import Encoded
    from ipaas.store.contract import RunFilter
    from ipaas.store.sql.transaction import Row, Stamp, Transaction

_FIND_RUN: Final = f"SELECT {RUN} FROM runs WHERE id = ? AND tenant = ?"  # noqa: S608  # a constant of this package
_LIST_EVENTS: Final = """
    SELECT sequence, at, state, fence, detail FROM run_events WHERE run_seq = ? ORDER BY sequence"""
_PUT_STEP: Final = f"""
    INSERT INTO steps (run_seq, {STEP_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run_seq, path) DO UPDATE SET
        step = excluded.step, status = excluded.status, action = excluded.action, inputs = excluded.inputs,
        output = excluded.output, error = excluded.error, attempts = excluded.attempts,
        started_at = excluded.started_at, finished_at = excluded.finished_at"""  # noqa: S608  # a constant
_LIST_STEPS: Final = f"SELECT {STEP_COLUMNS} FROM steps WHERE run_seq = ? ORDER BY seq"  # noqa: S608  # a constant
_COUNT_LINES: Final = "SELECT coalesce(max(number), 0) FROM log_lines WHERE run_seq = ?"
_INSERT_LINE: Final = f"INSERT INTO log_lines (run_seq, number, {LINE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # a constant
_LIST_LINES: Final = f"""
    SELECT {LINE_COLUMNS} FROM log_lines WHERE run_seq = ? AND number > ? ORDER BY number LIMIT ?"""  # noqa: S608  # a constant


def submit(stamp: Stamp, tenant: str, requests: Sequence[Encoded]) -> Transaction[list[Submitted]]:
    """Record runs in order; a later one sees the earlier ones."""
    answers = []
    for encoded in requests:
        answer = yield from admit(stamp, tenant, encoded, removed_is_missing=True)
        answers.append(answer)
    return answers


def get_run(tenant: str, run_id: str) -> Transaction[Row]:
    """Return the columns `RUN`, or raise `Missing`."""
    rows = yield _FIND_RUN, (run_id, tenant)
    if not rows:
        raise rules.missing_run(run_id)
    return rows[0]


def list_runs(tenant: str, where: RunFilter, before: int, limit: int) -> Transaction[list[Row]]:
    """Return the columns `RUN`, newest first, of runs whose key is below `before`."""
    conditions = "tenant = ? AND seq < ?"
    values: list[str | int] = [tenant, before]
    is_open = bool(where.states) and where.states.isdisjoint(TERMINAL)
    is_notable = bool(where.states) and "succeeded" not in where.states
    if where.workflow and is_open:
        conditions += " AND workflow = ? AND gate <> 'closed'"
        values.append(where.workflow)
    elif where.workflow:
        # The concatenation hides the column from the index of all the workflow's runs, where a planner that knows no
        # numbers would look for a few failures among a million successes.
        conditions += " AND workflow || '' = ?" if is_notable else " AND workflow = ?"
        values.append(where.workflow)
    if where.parent:
        conditions += " AND parent_run = ?"
        values.append(where.parent)
    if where.states:
        conditions += f" AND state IN ({', '.join('?' * len(where.states))})"
        values += sorted(where.states)
    if is_notable:
        conditions += " AND state <> 'succeeded'"
    return (yield f"SELECT {LISTED_RUN} FROM runs WHERE {conditions} ORDER BY seq DESC LIMIT ?", (*values, limit))  # noqa: S608  # values are bound


def request_cancel(stamp: Stamp, tenant: str, run_id: str, reason: str) -> Transaction[Row]:
    """Ask for a run's end and return the columns `RUN`."""
    seq = yield from get_seq(tenant, run_id)
    yield from ask_end(stamp, seq, reason)
    return (yield from get_run(tenant, run_id))


def list_events(tenant: str, run_id: str) -> Transaction[list[RunEvent]]:
    """Return all changes of a run."""
    seq = yield from get_seq(tenant, run_id)
    rows = yield _LIST_EVENTS, (seq,)
    return [
        RunEvent(run_id=run_id, sequence=sequence, at=from_us(at), state=state, fence=fence, detail=detail)
        for sequence, at, state, fence, detail in rows
    ]


def record_steps(lease: Lease, results: Sequence[Row]) -> Transaction[None]:
    """Write steps, given as columns."""
    seq = yield from get_held(lease)
    for columns in results:
        yield _PUT_STEP, (seq, *columns)


def list_steps(tenant: str, run_id: str) -> Transaction[list[Row]]:
    """Return the columns of all steps of a run, in the order of first recording."""
    seq = yield from get_seq(tenant, run_id)
    return (yield _LIST_STEPS, (seq,))


def append_logs(lease: Lease, lines: Sequence[Row]) -> Transaction[None]:
    """Append lines, given as columns, up to the bound (J2)."""
    seq = yield from get_held(lease)
    rows = yield _COUNT_LINES, (seq,)
    kept = rows[0][0]
    for number, columns in enumerate(fit_lines(kept, lines), start=kept + 1):
        yield _INSERT_LINE, (seq, number, *columns)


def list_logs(tenant: str, run_id: str, after: int, limit: int) -> Transaction[list[Row]]:
    """Return the columns of lines whose number is above `after`."""
    seq = yield from get_seq(tenant, run_id)
    return (yield _LIST_LINES, (seq, after, limit))
