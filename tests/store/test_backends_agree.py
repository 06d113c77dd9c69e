"""The same operations on memory and on SQLite, and everything that can be seen compared."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ipaas.errors import StoreError
from ipaas.run import Lease, LogLine, Outcome, RunRequest, StepResult, Tick
from ipaas.store import open_store
from ipaas.store.contract import Change, RunFilter, WorkflowText
from tests.store.trio_thread import TrioThread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ipaas.store.contract import Store

TENANT = "default"
WORKFLOWS = ("a", "b")
OWNERS = ("one", "two")
RUN_ID = re.compile(r"run_[0-9a-z]{26}")


class SetClock:
    """A clock that stands still until it is moved, and may be read from anywhere."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a Store does not sleep")

    async def sleep_until(self, when: datetime) -> None:
        raise AssertionError("a Store does not sleep")


@dataclass
class Side:
    """One backend and the ids of its runs, in the order of their creation."""

    store: Store
    ids: list[str]

    def id(self, number: int) -> str:
        return self.ids[number % len(self.ids)] if self.ids else "run_nowhere"


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of a request; a parent is the number of a run."""
    return {
        "workflow": draw(st.sampled_from((*WORKFLOWS, *WORKFLOWS, *WORKFLOWS, "nowhere"))),
        "version": draw(st.sampled_from(("v1", "v1", "v1", "v1", "v2"))),
        "inputs": draw(st.sampled_from(({}, {"n": 1}))),
        "overlap": draw(st.sampled_from(("allow", "allow", "skip", "queue", "queue", "cancel_running"))),
        "slot": draw(st.sampled_from(("", "s", "s", "t"))),
        "slot_limit": draw(st.sampled_from((1, 1, 2))),
        "when_full": draw(st.sampled_from(("queue", "queue", "queue", "skip", "cancel_running"))),
        "priority": draw(st.sampled_from((0, 0, 0, 1, -1))),
        "delivery": draw(st.sampled_from((None, None, None, "d", "e"))),
        "parent": draw(st.one_of(st.none(), st.none(), st.integers(0, 20))),
    }


def make_request(side: Side, fields: dict[str, Any]) -> RunRequest:
    parent = None if fields["parent"] is None else (side.id(fields["parent"]), "call")
    return RunRequest(**{**fields, "parent": parent})


class BackendsAgree(RuleBasedStateMachine):
    """Two Stores, one clock, every operation on both."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SetClock()
        self.folder = tempfile.TemporaryDirectory()
        urls = ("memory:", f"sqlite:///{self.folder.name}/a.db")
        self.thread = TrioThread(*(open_store(url, self.clock) for url in urls))
        self.sides = [Side(store, []) for store in self.thread.entered]
        self.leases: list[tuple[int, str, int]] = []

    def teardown(self) -> None:
        try:
            self.compare_everything()
        finally:
            self.thread.close()
            self.folder.cleanup()

    def do(self, operation: Callable[[Side], Awaitable[object]]) -> object:
        """Perform on both sides, compare what comes back and every run's state, and return the answer of the first."""
        answers = self.thread.call(partial(self._do, operation))
        shown = [self.show(side, answer) for side, answer in zip(self.sides, answers, strict=True)]
        assert shown[0] == shown[1]
        return answers[0][0]

    async def _do(self, operation: Callable[[Side], Awaitable[object]]) -> list[tuple[object, object]]:
        answers: list[tuple[object, object]] = []
        for side in self.sides:
            try:
                answer = await operation(side)
            except StoreError as error:
                answer = (type(error).__name__, error.message, error.hint)
            runs = (await side.store.list_runs(TENANT, RunFilter(), limit=10_000)).items
            side.ids = [run.id for run in reversed(runs)]
            answers.append((answer, [(run.state, run.reason) for run in runs]))
        return answers

    def show(self, side: Side, answer: object) -> str:
        numbers = {run_id: f"#{number}" for number, run_id in enumerate(side.ids)}
        return RUN_ID.sub(lambda match: numbers[match[0]], repr(answer))

    def lease(self, side: Side, number: int) -> Lease:
        if not self.leases:
            return Lease(tenant=TENANT, run_id="run_nowhere", owner="one", fence=1)
        # The newest lease of a run is the interesting one, so the list is read from its end.
        run, owner, fence = self.leases[-1 - number % len(self.leases)]
        return Lease(tenant=TENANT, run_id=side.ids[run], owner=owner, fence=fence)

    @initialize()
    def begin(self) -> None:
        self.put("a", "v1", active=True, triggers={"t": "f"})
        self.put("b", "v1", active=True, triggers={})

    @rule(
        workflow=st.sampled_from(WORKFLOWS),
        version=st.sampled_from(("v1", "v2")),
        active=st.booleans(),
        triggers=st.dictionaries(st.sampled_from("tu"), st.sampled_from("fg")),
    )
    def put(self, workflow: str, version: str, *, active: bool, triggers: dict[str, str]) -> None:
        text = WorkflowText(
            id=workflow, version=version, path=f"{workflow}.yaml", source=version, active=active, triggers=triggers
        )
        self.do(lambda side: side.store.apply(TENANT, Change(put=(text,))))

    @rule(workflow=st.sampled_from((*WORKFLOWS, "nowhere")))
    def remove(self, workflow: str) -> None:
        self.do(lambda side: side.store.apply(TENANT, Change(remove=(workflow,))))

    @rule(workflow=st.sampled_from(WORKFLOWS), active=st.booleans(), cancel_running=st.booleans())
    def set_active(self, workflow: str, *, active: bool, cancel_running: bool) -> None:
        self.do(lambda side: side.store.set_active(TENANT, workflow, active=active, cancel_running=cancel_running))

    @rule(batch=st.lists(requests(), min_size=1, max_size=4))
    def submit(self, batch: list[dict[str, Any]]) -> None:
        self.do(lambda side: side.store.submit(TENANT, [make_request(side, fields) for fields in batch]))

    @rule(slot=st.sampled_from("st"), count=st.integers(2, 5), limit=st.integers(1, 2))
    def submit_crowd(self, slot: str, count: int, limit: int) -> None:
        crowd = [
            RunRequest(workflow="a", version="v1", slot=slot, slot_limit=limit, priority=number % 2)
            for number in range(count)
        ]
        self.do(lambda side: side.store.submit(TENANT, crowd))

    @rule(
        owner=st.sampled_from(OWNERS),
        limit=st.integers(0, 6),
        only=st.one_of(st.none(), st.none(), st.sets(st.integers(0, 20))),
    )
    def claim(self, owner: str, limit: int, only: set[int] | None) -> None:
        def operation(side: Side) -> Awaitable[object]:
            named = None if only is None else {side.id(number) for number in only}
            return side.store.claim(owner, limit=limit, lease_s=30, only=named)

        answer: Any = self.do(operation)
        self.leases += [(self.sides[0].ids.index(run.id), run.owner, run.fence) for run in answer]

    @rule(number=st.integers(0, 5))
    def start(self, number: int) -> None:
        self.do(lambda side: side.store.start(self.lease(side, number)))

    @rule()
    def start_newest(self) -> None:
        for number in range(min(4, len(self.leases))):
            self.start(number)

    @rule(owner=st.sampled_from(OWNERS), numbers=st.sets(st.integers(0, 8)))
    def heartbeat(self, owner: str, numbers: set[int]) -> None:
        async def operation(side: Side) -> object:
            leases = [self.lease(side, number) for number in sorted(numbers)]
            beat = await side.store.heartbeat(owner, leases, lease_s=30)
            return sorted(beat.lost), sorted(beat.cancelled)

        self.do(operation)

    @rule(
        number=st.integers(0, 8),
        state=st.sampled_from(("succeeded", "succeeded", "failed", "cancelled", "skipped", "running")),
        reason=st.sampled_from(("", "r")),
        followers=st.lists(requests(), max_size=2),
    )
    def finish(self, number: int, state: Any, reason: str, followers: list[dict[str, Any]]) -> None:
        outcome = Outcome(state=state, outputs={"o": 1}, reason=reason)
        self.do(
            lambda side: side.store.finish(
                self.lease(side, number), outcome, [make_request(side, fields) for fields in followers]
            )
        )

    @rule()
    def finish_newest(self) -> None:
        for number in range(min(4, len(self.leases))):
            self.finish(number, "succeeded", "", [])

    @rule(number=st.integers(0, 5))
    def release(self, number: int) -> None:
        self.do(lambda side: side.store.release(self.lease(side, number)))

    @rule(number=st.integers(0, 30), reason=st.sampled_from(("", "stop")))
    def request_cancel(self, number: int, reason: str) -> None:
        self.do(lambda side: side.store.request_cancel(TENANT, side.id(number), reason=reason))

    @rule(number=st.integers(0, 5), paths=st.lists(st.sampled_from("xyz"), max_size=3), output=st.integers())
    def record_steps(self, number: int, paths: list[str], output: int) -> None:
        results = [
            StepResult(path=path, step=path, status="succeeded", output=output, started_at=self.clock.now())
            for path in paths
        ]
        self.do(lambda side: side.store.record_steps(self.lease(side, number), results))

    @rule(number=st.integers(0, 5), count=st.integers(0, 3))
    def append_logs(self, number: int, count: int) -> None:
        lines = [LogLine(at=self.clock.now(), level="info", message=str(line)) for line in range(count)]
        self.do(lambda side: side.store.append_logs(self.lease(side, number), lines))

    @rule(
        minutes=st.lists(st.integers(-3, 3), min_size=1, max_size=3),
        workflow=st.sampled_from((*WORKFLOWS, "nowhere")),
        trigger=st.sampled_from("tu"),
        fields=st.one_of(st.none(), requests()),
    )
    def record_ticks(self, minutes: list[int], workflow: str, trigger: str, fields: dict[str, Any] | None) -> None:
        ticks = [
            Tick(
                workflow=workflow, trigger=trigger, due_at=self.clock.now() + timedelta(minutes=minute), outcome="fired"
            )
            for minute in minutes
        ]
        self.do(
            lambda side: side.store.record_ticks(
                TENANT, [(tick, None if fields is None else make_request(side, fields)) for tick in ticks]
            )
        )

    @rule(seconds=st.sampled_from((1, 20, 31, 120)))
    def advance(self, seconds: int) -> None:
        self.clock.at += timedelta(seconds=seconds)

    @rule(key=st.sampled_from("kl"), value=st.one_of(st.none(), st.integers(), st.text(max_size=3)))
    def put_state(self, key: str, value: Any) -> None:
        self.do(lambda side: side.store.put_state(TENANT, "s", key, value))
        self.do(lambda side: side.store.find_state(TENANT, "s", key))

    @rule(limit=st.integers(1, 5), states=st.sets(st.sampled_from(("queued", "running", "skipped", "succeeded"))))
    def page_runs(self, limit: int, states: set[Any]) -> None:
        async def operation(side: Side) -> object:
            pages: list[object] = []
            cursor = None
            while True:
                page = await side.store.list_runs(
                    TENANT, RunFilter(states=frozenset(states)), cursor=cursor, limit=limit
                )
                pages.append(page.items)
                cursor = page.cursor
                if cursor is None:
                    return pages

        self.do(operation)

    def compare_everything(self) -> None:
        async def operation(side: Side) -> object:
            store = side.store
            seen: list[object] = [
                await store.list_workflows(TENANT),
                await store.get_revision(TENANT),
                await store.list_watermarks(TENANT),
                await store.list_tenants(),
            ]
            seen += [await store.list_ticks(TENANT, workflow, limit=1_000) for workflow in (*WORKFLOWS, "nowhere")]
            for run_id in side.ids:
                seen.append(await store.get_run(TENANT, run_id))
                seen.append(await store.list_events(TENANT, run_id))
                seen.append(await store.list_steps(TENANT, run_id))
                seen.append(await store.list_logs(TENANT, run_id))
            return seen

        self.do(operation)


BackendsAgree.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestBackendsAgree = BackendsAgree.TestCase
