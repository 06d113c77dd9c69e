"""How the driver behaves under cancels, failing neighbours and long reads, and which indexes serve its queries."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from ipaas.errors import StoreUnavailable
from ipaas.run import RunRequest
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, Change, RunFilter, Store, WorkflowText
from ipaas.store.run_ids import RunIds
from ipaas.store.sql import claims, runs
from ipaas.store.sql.transaction import Stamp, Transaction
from ipaas.store.sqlite import SqliteDriver, open_sqlite
from ipaas.store.sqlite.connect import open_writer
from ipaas.store.sqlite.trio_sqlite import TrioConnection
from ipaas.testing import VirtualClock

if TYPE_CHECKING:
    from pathlib import Path

    from ipaas.store.sql import SqlStore

REQUEST = RunRequest(workflow="w", version="v1")
# Half a minute's work: as good as endless to whoever waits, and yet a broken interrupt fails the test instead of hanging it.
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000000) SELECT count(*) FROM n"


async def put_workflow(store: Store | SqlStore) -> None:
    text = WorkflowText(id="w", version="v1", path="w.yaml", source="steps: []")
    await store.apply(DEFAULT_TENANT, Change(put=(text,)))


def driver_of(store: SqlStore) -> SqliteDriver:
    driver = store._driver
    assert isinstance(driver, SqliteDriver)
    return driver


async def count_runs(store: Store | SqlStore) -> int:
    return len((await store.list_runs(DEFAULT_TENANT, RunFilter(), limit=10_000)).items)


async def test_a_cancelled_read_is_interrupted_and_leaves_an_idle_connection(tmp_path: Path) -> None:
    """A read that would never end is ended by a cancel, and its connection serves the next read."""

    def read_endlessly() -> Transaction[None]:
        reading.set()
        yield ENDLESS, ()

    async with open_sqlite(tmp_path / "ipaas.db", VirtualClock()) as store:
        await put_workflow(store)
        token = trio.lowlevel.current_trio_token()
        begun = trio.Event()

        class Reading:
            def set(self) -> None:
                token.run_sync_soon(begun.set)

        reading = Reading()
        for _ in range(5):  # more often than there are connections
            begun = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(driver_of(store).read, read_endlessly)
                await begun.wait()
                nursery.cancel_scope.cancel()
            assert nursery.cancel_scope.cancelled_caught
        assert await store.list_tenants() == [DEFAULT_TENANT]


async def test_a_write_under_way_is_finished_and_answers_although_it_was_cancelled(tmp_path: Path) -> None:
    """G1: the caller gets the answer of what was done, and the cancel at its next checkpoint."""
    async with open_sqlite(tmp_path / "ipaas.db", VirtualClock()) as store:
        await put_workflow(store)
        token = trio.lowlevel.current_trio_token()
        scope = trio.CancelScope()
        answers: list[Any] = []

        def write(stamp: Stamp) -> Transaction[str]:
            # Cancels from within the transaction: this write is under way, for certain.
            trio.from_thread.run_sync(scope.cancel, trio_token=token)
            yield "INSERT INTO state (tenant, scope, key, value) VALUES ('default', 's', 'k', '1')", ()
            return "written"

        with scope:
            answers.append(await driver_of(store).write(write))
            await trio.lowlevel.checkpoint()
            answers.append("not cancelled")
        assert (answers, scope.cancelled_caught) == (["written"], True)
        assert await store.find_state(DEFAULT_TENANT, "s", "k") == 1


async def test_a_write_that_is_cancelled_while_it_waits_for_a_lock_is_not_done(tmp_path: Path) -> None:
    """G1: a caller that gives up while another program holds the file is let go, and its write never happens."""
    path = tmp_path / "ipaas.db"
    async with open_store(f"sqlite:///{path}", VirtualClock()) as store:
        await put_workflow(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(store.submit, DEFAULT_TENANT, [REQUEST])
                    await trio.testing.wait_all_tasks_blocked()
                    scope.cancel()
            assert scope.cancelled_caught
            other.execute("ROLLBACK")
        await store.submit(DEFAULT_TENANT, [REQUEST])
        assert await count_runs(store) == 1


async def test_a_failing_write_does_not_fail_its_neighbours(tmp_path: Path) -> None:
    """Writes of one group are apart: one that fails half-way is undone alone, one that is refused too, the others are done."""
    async with open_sqlite(tmp_path / "ipaas.db", VirtualClock()) as store:
        await put_workflow(store)
        ends: dict[int, str] = {}

        def fail_half_way(stamp: Stamp) -> Transaction[None]:
            yield "INSERT INTO state (tenant, scope, key, value) VALUES ('default', 's', 'half', '1')", ()
            yield "INSERT INTO state (tenant, scope, key, value) VALUES ('default', 's', 'half', '2')", ()

        async def call(number: int) -> None:
            try:
                if number % 3 == 0:
                    await driver_of(store).write(fail_half_way)
                elif number % 3 == 1:
                    await store.submit(DEFAULT_TENANT, [REQUEST, RunRequest(workflow="nowhere", version="v1")])
                else:
                    await store.submit(DEFAULT_TENANT, [REQUEST])
            except Exception as error:  # noqa: BLE001  # the test is about which one it is
                ends[number] = type(error).__name__
            else:
                ends[number] = "done"

        async with trio.open_nursery() as nursery:
            for number in range(12):
                nursery.start_soon(call, number)
        assert ends == {number: ("StoreError", "Missing", "done")[number % 3] for number in range(12)}
        assert await store.find_state(DEFAULT_TENANT, "s", "half") is None
        assert await count_runs(store) == 4


async def test_writes_that_wait_together_become_one_transaction(tmp_path: Path) -> None:
    """Group commit: a hundred callers at once cost a few commits, not a hundred."""
    async with open_sqlite(tmp_path / "ipaas.db", VirtualClock()) as store:
        await put_workflow(store)
        begun: list[str] = []
        connection = driver_of(store)._writer._connection
        await connection.run(
            lambda raw: raw.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("BEGIN") else None)
        )
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(store.submit, DEFAULT_TENANT, [REQUEST])
        assert len(begun) <= 3
        assert await count_runs(store) == 100


async def test_a_shielded_write_is_done_while_everything_around_is_cancelled(tmp_path: Path) -> None:
    """The writer outlives a cancel of the scope that the Store was opened in, for as long as the block runs."""
    path = tmp_path / "ipaas.db"
    with trio.CancelScope() as scope:
        async with open_store(f"sqlite:///{path}", VirtualClock()) as store:
            await put_workflow(store)
            scope.cancel()
            with trio.fail_after(30, shield=True):
                await store.submit(DEFAULT_TENANT, [REQUEST])
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    async with open_store(f"sqlite:///{path}", VirtualClock()) as store:
        assert await count_runs(store) == 1


async def test_a_connection_that_cannot_be_made_raises_what_stopped_it() -> None:
    """The connector's own exception comes out of `open`, and the thread has ended."""

    def refuse() -> sqlite3.Connection:
        raise StoreUnavailable("no")

    connection = TrioConnection(refuse)
    with pytest.raises(StoreUnavailable):
        await connection.open()
    connection._thread.join()


async def test_aiosqlites_own_methods_work_on_trio() -> None:
    """The subclass is a whole aiosqlite connection: cursors, iteration, commit."""
    connection = TrioConnection(partial(sqlite3.connect, ":memory:", check_same_thread=False))
    await connection.open()
    await connection.execute("CREATE TABLE t (n INTEGER)")
    await connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    await connection.commit()
    async with connection.execute("SELECT n FROM t ORDER BY n") as cursor:
        assert [row async for row in cursor] == [(1,), (2,)]
    await connection.close()
    with pytest.raises(ValueError, match="no active connection"):
        await connection.execute("SELECT 1")


def plans_of(path: Path, make: Any) -> set[str]:
    """Run a transaction on a fresh file and return the plan of every statement that looks for runs."""
    with closing(open_writer(path)) as connection:
        connection.execute("INSERT INTO workflows VALUES ('default', 'w', 'v1', 'p', '', '{}', 1, 0, 0, 0)")
        for number, gate in enumerate(("open", "open", "held", "slot", "queue", "closed")):
            connection.execute(
                "INSERT INTO runs (id, tenant, workflow, version, state, gate, rank, overlap, slot, slot_limit, created_at,"
                " lease_until, trigger_info, inputs) VALUES (?, 'default', 'w', 'v1', 'queued', ?, 0, 'allow', 's', 1, 0, ?,"
                """ '["manual","",null,{}]', '{}')""",
                (f"run_{number}", gate, 0 if gate == "held" else None),
            )
        plans: set[str] = set()
        transaction = make(Stamp(1, RunIds()))
        try:
            sql, values = next(transaction)
            while True:
                if "runs" in sql and not sql.lstrip().startswith("INSERT"):
                    plans |= {row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)}
                sql, values = transaction.send(connection.execute(sql, values).fetchall())
        except StopIteration:
            return plans


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda stamp: claims.claim(stamp, "a", 10, 1, None), id="claim"),
        pytest.param(lambda stamp: runs.request_cancel(stamp, DEFAULT_TENANT, "run_2", ""), id="cancel held"),
        pytest.param(lambda stamp: runs.request_cancel(stamp, DEFAULT_TENANT, "run_0", ""), id="cancel open"),
        pytest.param(lambda _: runs.list_runs(DEFAULT_TENANT, RunFilter(), 99, 10), id="list"),
        pytest.param(
            lambda _: runs.list_runs(DEFAULT_TENANT, RunFilter(states=frozenset({"failed"})), 99, 10), id="list failed"
        ),
        pytest.param(lambda _: runs.list_runs(DEFAULT_TENANT, RunFilter(parent="run_1"), 99, 10), id="list children"),
    ],
)
def test_no_query_walks_through_all_runs(tmp_path: Path, make: Any) -> None:
    """Every search for runs goes through an index, so that its cost does not grow with the history."""
    plans = plans_of(tmp_path / "ipaas.db", make)
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN") and "USING INDEX" not in plan] == []


def test_claims_are_served_by_the_indexes_of_unfinished_runs(tmp_path: Path) -> None:
    """The order of claims comes out of its index: nothing is sorted but the few lost runs."""
    plans = plans_of(tmp_path / "ipaas.db", lambda stamp: claims.claim(stamp, "a", 10, 1, None))
    assert any("runs_ready" in plan for plan in plans)
    assert any("runs_lease" in plan for plan in plans)
    assert any("runs_slot" in plan for plan in plans)


def test_run_ids_rise_also_when_the_clock_is_set_back() -> None:
    """Ids of one handle are unique and rise, whatever the clock does, and carry its milliseconds."""
    ids = RunIds()
    # The instant is the one that the ULID specification gives as its example.
    example_us = 1_469_918_176_385_000
    made = [ids.make(instant) for instant in (example_us, example_us, 5, example_us + 1_000_000)]
    assert made == sorted(set(made))
    assert made[0].startswith("run_01aryz6s41")
    assert {len(name) for name in made} == {30}


@pytest.mark.parametrize(
    "where, index",
    [
        (RunFilter(), "runs_tenant"),
        (RunFilter(workflow="w"), "runs_workflow"),
        (RunFilter(workflow="w", states=frozenset({"queued", "running"})), "runs_unfinished"),
        (RunFilter(states=frozenset({"queued", "running"})), "runs_notable"),
        (RunFilter(states=frozenset({"failed", "queued"})), "runs_notable"),
        (RunFilter(workflow="w", states=frozenset({"failed"})), "runs_notable"),
        (RunFilter(parent="run_1"), "runs_children"),
    ],
)
def test_rare_runs_are_found_beside_a_long_history(tmp_path: Path, where: RunFilter, index: str) -> None:
    """A few failed or running runs among a million successes are found through an index of their own."""
    [plan] = plans_of(tmp_path / "ipaas.db", lambda _: runs.list_runs(DEFAULT_TENANT, where, 99, 10))
    assert plan.startswith(f"SEARCH runs USING INDEX {index} ")


async def test_commits_are_synced_to_the_disk(tmp_path: Path) -> None:
    """G2: the writing connection is in WAL mode with `synchronous=FULL`; a kill -9 could not show that it is not."""
    async with open_sqlite(tmp_path / "ipaas.db", VirtualClock()) as store:
        connection = driver_of(store)._writer._connection
        found = await connection.run(
            lambda raw: [raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        )
        assert found == ["wal", 2]
