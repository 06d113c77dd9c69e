"""Two handles at once: what must hold whoever is first."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import trio

from ipaas.errors import FenceLost
from ipaas.run import TERMINAL, Outcome, Tick
from ipaas.store.contract import DEFAULT_TENANT
from ipaas.testing.store_conformance.world import StoreSuite, World, request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ipaas.run import Run, Submitted
    from ipaas.store.contract import Store

_ROUNDS = 25
"""Repetitions of each race: enough to see both orders, few enough for every test run."""


class RaceSuite(StoreSuite):
    """Real concurrency over both handles; each law is checked after the dust has settled."""

    async def test_l1_every_run_is_given_to_one_owner(self, tmp_path: Path) -> None:
        """L1: eight greedy owners on two handles share the queue without a run given twice or left over."""
        async with self.world(tmp_path) as world:
            ids = [answer.run_id for answer in await world.store.submit(DEFAULT_TENANT, [request()] * 120)]
            taken: list[Run] = []

            async def take(store: Store, owner: str) -> None:
                while claimed := await store.claim(owner, limit=7, lease_s=30):
                    taken.extend(claimed)

            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(take, world.store, f"one{number}")
                    nursery.start_soon(take, world.other, f"two{number}")
            assert sorted(run.id for run in taken) == ids
            assert {run.fence for run in taken} == {1}

    async def test_l2_a_slot_is_never_overfull(self, tmp_path: Path) -> None:
        """L2: greedy owners that start and finish never have more runs of a slot than its limit, and finish them all."""
        async with self.world(tmp_path) as world:
            await world.store.submit(DEFAULT_TENANT, [request(slot="s", slot_limit=3)] * 40)
            held: Counter[str] = Counter()
            most = 0
            done: list[str] = []

            async def work(store: Store, owner: str) -> None:
                nonlocal most
                while len(done) < 40:
                    for run in await store.claim(owner, limit=2, lease_s=30):
                        held["s"] += 1
                        most = max(most, held["s"])
                        started = await store.start(run.lease)
                        # Counted down before the end is written: the place is free at once when it is.
                        held["s"] -= 1
                        await store.finish(started.lease, Outcome(state="succeeded"))
                        done.append(run.id)

            with trio.fail_after(60):
                await _both(world, *([work] * 6))
            assert most <= 3
            assert set((await world.list_states()).values()) == {"succeeded"}

    async def test_r1_one_delivery_submitted_twice_at_once_is_one_run(self, tmp_path: Path) -> None:
        """R1: of two handles that accept the same delivery, one creates the run and both name it."""
        async with self.world(tmp_path) as world:
            for number in range(_ROUNDS):
                answers: list[Submitted] = []

                async def submit(
                    store: Store, _: str, number: int = number, answers: list[Submitted] = answers
                ) -> None:
                    answers.extend(await store.submit(DEFAULT_TENANT, [request(delivery=f"d{number}")]))

                await _both(world, submit, submit)
                assert len({answer.run_id for answer in answers}) == 1
                assert sorted(answer.created for answer in answers) == [False, True]

    async def test_r2_two_submits_with_skip_queue_one_run(self, tmp_path: Path) -> None:
        """R2: the overlap is decided inside the transaction: never two, never none."""
        async with self.world(tmp_path) as world:
            for _ in range(_ROUNDS):
                answers: list[Submitted] = []

                async def submit(store: Store, _: str, answers: list[Submitted] = answers) -> None:
                    answers.extend(await store.submit(DEFAULT_TENANT, [request(overlap="skip")]))

                await _both(world, submit, submit)
                assert sorted(answer.state for answer in answers) == ["queued", "skipped"]
                await world.finish(await world.start_queued(next(a.run_id for a in answers if a.state == "queued")))

    async def test_t1_one_instant_recorded_twice_at_once_starts_one_run(self, tmp_path: Path) -> None:
        """T1: two schedulers that see the same instant agree on one tick and one run."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            begin = world.clock.now()
            for number in range(1, _ROUNDS + 1):
                tick = Tick(workflow="w", trigger="t", due_at=begin + timedelta(hours=number), outcome="fired")
                answers: list[tuple[Tick, Submitted | None]] = []

                async def fire(
                    store: Store, _: str, tick: Tick = tick, answers: list[tuple[Tick, Submitted | None]] = answers
                ) -> None:
                    answers.extend(await store.record_ticks(DEFAULT_TENANT, [(tick, request())]))

                await _both(world, fire, fire)
                assert answers[0][0] == answers[1][0]
                assert sum(submitted is not None for _, submitted in answers) == 1
                assert len(await world.list_states()) == number

    async def test_w4_a_start_and_a_switch_off_are_in_one_order(self, tmp_path: Path) -> None:
        """W4: a run either started before the switch, or is skipped; no start comes after the switch was acknowledged."""
        async with self.world(tmp_path) as world:
            for number in range(_ROUNDS):
                await world.submit()
                [claimed] = await world.claim()
                order: list[str] = []

                async def start(store: Store, _: str, run: Run = claimed, order: list[str] = order) -> None:
                    order.append("starting")
                    order.append((await store.start(run.lease)).state)

                async def switch_off(store: Store, _: str, order: list[str] = order) -> None:
                    await store.set_active(DEFAULT_TENANT, "w", active=False)
                    order.append("off")

                await _both(world, *((start, switch_off) if number % 2 else (switch_off, start)))
                run = await world.get(claimed.id)
                answered = next(entry for entry in reversed(order) if entry != "off")
                assert run.state == answered
                if order.index("off") < order.index("starting"):
                    assert run.state == "skipped"
                if run.state == "running":
                    await world.finish(run)
                await world.store.set_active(DEFAULT_TENANT, "w", active=True)

    async def test_l5_a_cancel_and_a_finish_give_one_end(self, tmp_path: Path) -> None:
        """L5 and R4: whoever is first, the run ends once, as its owner said, and every event follows the machine."""
        async with self.world(tmp_path) as world:
            for _ in range(_ROUNDS):
                run = await world.start_one()

                async def finish(store: Store, _: str, run: Run = run) -> None:
                    await store.finish(run.lease, Outcome(state="succeeded"))

                async def cancel(store: Store, _: str, run: Run = run) -> None:
                    await store.request_cancel(DEFAULT_TENANT, run.id)

                await _both(world, finish, cancel)
                trail = [state for state, _, _ in await world.list_trail(run.id)]
                assert trail in (["queued", "running", "succeeded"], ["queued", "running", "running", "succeeded"])

    async def test_l5_two_owners_of_one_name_finish_once(self, tmp_path: Path) -> None:
        """L5: of two finishes with one lease one is refused."""
        async with self.world(tmp_path) as world:
            for _ in range(_ROUNDS):
                run = await world.start_one()
                ends: list[str] = []

                async def finish(store: Store, name: str, run: Run = run, ends: list[str] = ends) -> None:
                    try:
                        await store.finish(run.lease, Outcome(state="failed", reason=name))
                    except FenceLost:
                        ends.append("refused")
                    else:
                        ends.append(name)

                await _both(world, finish, finish)
                assert ends.count("refused") == 1
                assert (await world.get(run.id)).reason in ends

    async def test_l2_an_owner_that_wakes_up_late_and_its_successor_never_both_finish(self, tmp_path: Path) -> None:
        """L2: a recovery and a late finish race; one of them owns the run's end."""
        async with self.world(tmp_path) as world:
            for _ in range(_ROUNDS):
                run = await world.start_one()
                world.clock.jump(31)
                winners: list[str] = []

                async def wake_up(store: Store, _: str, run: Run = run, winners: list[str] = winners) -> None:
                    try:
                        await store.finish(run.lease, Outcome(state="succeeded", reason="late"))
                        winners.append("late")
                    except FenceLost:
                        pass

                async def recover(store: Store, _: str, winners: list[str] = winners) -> None:
                    for claimed in await store.claim("b", limit=1, lease_s=30):
                        started = await store.start(claimed.lease)
                        await store.finish(started.lease, Outcome(state="succeeded", reason="recovered"))
                        winners.append("recovered")

                await _both(world, wake_up, recover)
                ended = await world.get(run.id)
                assert winners == [ended.reason]
                assert ended.state in TERMINAL


async def _both(world: World, *calls: Callable[[Store, str], Awaitable[None]]) -> None:
    """Run the calls at once, on the two handles in turn, each with a name of its own."""
    async with trio.open_nursery() as nursery:
        for number, call in enumerate(calls):
            nursery.start_soon(call, (world.store, world.other)[number % 2], f"caller{number}")
