"""The transaction that gives runs to an owner (L1 to L3). Called by `SqlStore`.

Owns which runs are taken and in which order. A claim reads two small indexes, open gates and leases, so that its cost does not depend on how
many runs have ended or wait behind others; each run that a full slot keeps out is moved out of the way once.
"""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ipaas.store import rules
from ipaas.store.sql.admission import close, count_held
from ipaas.store.sql.run_rows import RUN, change_run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ipaas.store.sql.transaction import Row, Stamp, Transaction

_FIELDS: Final = "rank, seq, gate, tenant, slot, slot_limit, state, owner, recoveries, lease_until"
_LIST_LOST: Final = f"SELECT {_FIELDS} FROM runs WHERE lease_until <= ? ORDER BY rank, seq"  # noqa: S608  # a constant
_LIST_OPEN: Final = f"""
    SELECT {_FIELDS} FROM runs WHERE gate = 'open' AND (rank, seq) > (?, ?) ORDER BY rank, seq LIMIT ?"""  # noqa: S608  # a constant
_FIND_NAMED: Final = f"SELECT {_FIELDS} FROM runs WHERE id = ? AND gate IN ('held', 'open', 'slot')"  # noqa: S608  # a constant
_KEEP_OUT: Final = """
    UPDATE runs SET gate = 'slot'
    WHERE tenant = ? AND slot = ? AND slot <> '' AND gate <> 'closed' AND gate = 'open' AND slot_limit <= ?"""
_CLAIM: Final = f"""
    UPDATE runs SET gate = 'held', owner = ?, fence = fence + 1, lease_until = ? WHERE seq = ? RETURNING {RUN}"""  # noqa: S608  # a constant
_RECOVER: Final = "state = 'queued', owner = ?, fence = fence + 1, lease_until = ?, recoveries = recoveries + 1"
_FIRST_RANK: Final = -(1 << 63)


class _Candidate(NamedTuple):
    """A run that may be taken. Candidates sort by rank and key, which no two share."""

    rank: int
    seq: int
    gate: str
    tenant: str
    slot: str
    slot_limit: int
    state: str
    owner: str
    recoveries: int
    lease_until: int | None


class _Slots:
    """How many places of each slot are held, with those counted that this claim is about to take."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], int] = {}
        self._full: set[tuple[str, str]] = set()

    def take(self, candidate: _Candidate) -> Transaction[bool]:
        """Take a place for the candidate; False when its slot has none."""
        if not candidate.slot:
            return True
        slot = (candidate.tenant, candidate.slot)
        if slot not in self._held:
            self._held[slot] = yield from count_held(*slot)
        if self._held[slot] >= candidate.slot_limit:
            self._full.add(slot)
            return False
        self._held[slot] += 1
        return True

    def keep_out(self) -> Transaction[None]:
        """Move the runs that full slots keep out of the way of later claims."""
        for slot in sorted(self._full):
            held = yield from count_held(*slot)
            yield _KEEP_OUT, (*slot, held)


def claim(stamp: Stamp, owner: str, limit: int, lease_us: int, only: Collection[str] | None) -> Transaction[list[Row]]:
    """Take runs and return their columns `RUN`, in the order of claims."""
    named = None if only is None else (yield from _find_named(only))
    if named is None:
        rows = yield _LIST_LOST, (stamp.now,)
        lost = [_Candidate(*row) for row in rows]
    else:
        lost = [one for one in named if one.lease_until is not None and one.lease_until <= stamp.now]
    for one in lost:
        if one.recoveries >= rules.MAX_RECOVERIES:
            yield from _give_up(stamp, one)
    recovered = [one for one in lost if one.recoveries < rules.MAX_RECOVERIES]
    slots = _Slots()
    if named is None:
        free = yield from _list_free(limit, slots)
    else:
        free = yield from _choose((one for one in named if one.gate != "held"), slots)
    taken = []
    for _, one in zip(range(limit), merge(recovered, free), strict=False):
        row = yield from _take(stamp, one, owner, stamp.now + lease_us)
        taken.append(row)
    yield from slots.keep_out()
    return taken


def _find_named(only: Collection[str]) -> Transaction[list[_Candidate]]:
    """Return the named runs that might be taken, in the order of claims."""
    found = []
    for run_id in only:
        found += yield _FIND_NAMED, (run_id,)
    return sorted(_Candidate(*row) for row in found)


def _list_free(limit: int, slots: _Slots) -> Transaction[list[_Candidate]]:
    """Return the first `limit` runs with an open gate whose slot has room."""
    free: list[_Candidate] = []
    after: tuple[Any, Any] = (_FIRST_RANK, 0)
    page = max(limit, 1)
    while len(free) < limit:
        rows = yield _LIST_OPEN, (*after, page)
        free += yield from _choose((_Candidate(*row) for row in rows), slots)
        if len(rows) < page:
            break
        after = rows[-1][:2]
        page *= 2
    return free[:limit]


def _choose(candidates: Iterable[_Candidate], slots: _Slots) -> Transaction[list[_Candidate]]:
    """Return those whose slot has room beside the ones before them."""
    chosen = []
    for one in candidates:
        has_room = yield from slots.take(one)
        if has_room:
            chosen.append(one)
    return chosen


def _take(stamp: Stamp, one: _Candidate, owner: str, lease_until: int) -> Transaction[Row]:
    """Give a run to its new owner; one that had an owner is a recovery, and its event says so."""
    if one.gate != "held":
        rows = yield _CLAIM, (owner, lease_until, one.seq)
        return rows[0]
    detail = rules.recovery_detail(one.owner, one.recoveries + 1)
    return (yield from change_run(stamp, one.seq, _RECOVER, (owner, lease_until), detail))


def _give_up(stamp: Stamp, one: _Candidate) -> Transaction[None]:
    """Make a run that loses its owners again and again `dead_letter`."""
    if one.state == "running":
        yield from change_run(stamp, one.seq, "state = 'queued'", (), rules.lost_detail(one.owner))
    yield from close(stamp, one.seq, "dead_letter", rules.dead_letter_reason(one.owner))
