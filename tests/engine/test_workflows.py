import logging
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from ipaas.engine.workflows import CACHED_VERSIONS, Workflows
from ipaas.errors import Missing, ProblemsFound
from ipaas.model import After, Json, Place, Problem, Trigger, Workflow
from ipaas.run import Outcome, Run, TriggerInfo
from ipaas.store.contract import DEFAULT_TENANT, Change, Version, WorkflowText
from ipaas.store.memory import MemoryStore
from ipaas.testing import VirtualClock
from ipaas.testing.build import PythonTemplate, workflow

PLACE = Place("pipelines/test.yaml", 1, 1)


def version_of(source: str) -> str:
    return sha256(source.encode()).hexdigest()


class Compiler:
    """Compiles a text to a workflow without steps, counts, and refuses texts that say `broken`."""

    def __init__(self) -> None:
        self.compiled: list[str] = []
        self.triggers: dict[str, tuple[Trigger, ...]] = {}

    def __call__(self, text: Version) -> Workflow:
        self.compiled.append(text.source)
        if "broken" in text.source:
            raise ProblemsFound([Problem(PLACE, "unknown connector `shop`", "unknown-connector")])
        if "crash" in text.source:
            raise RuntimeError("the compiler has a bug")
        made = workflow(id=text.workflow, triggers=self.triggers.get(text.workflow, ()))
        return replace(made, version=text.version, source=text.source)


def text(id: str, source: str = "v1", *, active: bool = True) -> WorkflowText:
    return WorkflowText(id=id, version=version_of(source), path=f"pipelines/{id}.yaml", source=source, active=active)


class Bench:
    def __init__(self) -> None:
        self.store = MemoryStore(VirtualClock())
        self.compiler = Compiler()
        self.workflows = Workflows(self.store, self.compiler)

    async def put(self, *texts: WorkflowText, tenant: str = DEFAULT_TENANT) -> None:
        await self.store.apply(tenant, Change(put=texts))

    async def list_ids(self, tenant: str = DEFAULT_TENANT) -> list[str]:
        return [each.id for each in await self.workflows.list_active(tenant)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_version_is_compiled_once(bench: Bench) -> None:
    """Asking again for a version answers from the cache."""
    await bench.put(text("orders"))
    first = await bench.workflows.get(DEFAULT_TENANT, "orders", version_of("v1"))
    again = await bench.workflows.get(DEFAULT_TENANT, "orders", version_of("v1"))
    assert (first.id, first.source) == ("orders", "v1")
    assert again is first
    assert bench.compiler.compiled == ["v1"]


async def test_cache_is_bounded(bench: Bench) -> None:
    """The version that was used longest ago makes room; one that is used stays."""
    sources = [f"v{number}" for number in range(CACHED_VERSIONS + 1)]
    for source in sources:
        await bench.put(text("orders", source))
    for source in [*sources[:CACHED_VERSIONS], sources[0], sources[-1]]:
        await bench.workflows.get(DEFAULT_TENANT, "orders", version_of(source))
    bench.compiler.compiled.clear()
    await bench.workflows.get(DEFAULT_TENANT, "orders", version_of(sources[0]))
    assert bench.compiler.compiled == []
    await bench.workflows.get(DEFAULT_TENANT, "orders", version_of(sources[1]))
    assert bench.compiler.compiled == [sources[1]]


async def test_unknown_version_is_missing(bench: Bench) -> None:
    """A version that the Store does not have is named."""
    await bench.put(text("orders"))
    with pytest.raises(Missing):
        await bench.workflows.get(DEFAULT_TENANT, "orders", "f" * 64)


async def test_tenants_do_not_see_each_other(bench: Bench) -> None:
    """A version that is in the cache for one tenant is still missing for another."""
    await bench.put(text("orders"))
    await bench.workflows.get(DEFAULT_TENANT, "orders", version_of("v1"))
    with pytest.raises(Missing):
        await bench.workflows.get("other", "orders", version_of("v1"))
    assert await bench.list_ids("other") == []


async def test_broken_version_says_why_each_time(bench: Bench) -> None:
    """A text that does not compile here raises its problems whenever it is asked for, and is compiled once."""
    await bench.put(text("orders", "broken"))
    for _ in range(2):
        with pytest.raises(ProblemsFound) as caught:
            await bench.workflows.get(DEFAULT_TENANT, "orders", version_of("broken"))
        assert [problem.code for problem in caught.value.problems] == ["unknown-connector"]
    assert bench.compiler.compiled == ["broken"]


async def test_active_workflows_follow_the_store(bench: Bench) -> None:
    """What is added, changed, switched and removed shows at the next call."""
    await bench.put(text("a"), text("b"), text("c", active=False))
    assert await bench.list_ids() == ["a", "b"]
    await bench.store.set_active(DEFAULT_TENANT, "a", active=False)
    await bench.store.set_active(DEFAULT_TENANT, "c", active=True)
    assert await bench.list_ids() == ["b", "c"]
    await bench.store.apply(DEFAULT_TENANT, Change(put=(text("b", "v2"),), remove=("c",)))
    assert [(each.id, each.source) for each in await bench.workflows.list_active(DEFAULT_TENANT)] == [("b", "v2")]


async def test_unchanged_store_is_not_read_again(bench: Bench) -> None:
    """While the revision stands still, the same values are returned."""
    await bench.put(text("a"), text("b"))
    first = await bench.workflows.list_active(DEFAULT_TENANT)
    assert await bench.workflows.list_active(DEFAULT_TENANT) is first


async def test_change_compiles_only_what_changed(bench: Bench) -> None:
    """An edit of one workflow does not compile the others again, however many there are."""
    await bench.put(*(text(f"w{number:04}", f"w{number}") for number in range(CACHED_VERSIONS + 100)))
    await bench.list_ids()
    bench.compiler.compiled.clear()
    await bench.put(text("w0007", "new"))
    assert len(await bench.list_ids()) == CACHED_VERSIONS + 100
    assert bench.compiler.compiled == ["new"]


@pytest.mark.parametrize("source", ["broken", "crash"])
async def test_broken_workflow_costs_only_itself(bench: Bench, source: str, caplog: pytest.LogCaptureFixture) -> None:
    """An active workflow that cannot be compiled is left out of the list and logged once."""
    await bench.put(text("bad", source), text("good"))
    with caplog.at_level(logging.ERROR, "ipaas.workflows"):
        assert await bench.list_ids() == ["good"]
        await bench.put(text("other"))
        assert await bench.list_ids() == ["good", "other"]
    told = [each for each in caplog.records if each.message.startswith("an active workflow cannot run")]
    assert [getattr(each, "facts")["workflow"] for each in told] == ["bad"]  # noqa: B009  # not a field of LogRecord


def ended(workflow_id: str) -> Run:
    return Run(
        id="run-1", tenant=DEFAULT_TENANT, workflow=workflow_id, version="0" * 64, state="running", trigger=TriggerInfo(),
        inputs={}, created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def after(workflow_id: str, *states: str, inputs: PythonTemplate | None = None) -> Trigger:
    timing = After(workflow=workflow_id, states=frozenset(states))
    return Trigger(id="chain", place=PLACE, timing=timing, overlap="queue", inputs=inputs)


async def test_followers_of_an_end(bench: Bench) -> None:
    """A run's end asks for a run of each active workflow that waits for such an end of its workflow, and of no other."""
    bench.compiler.triggers = {
        "report": (after("orders", "succeeded"),),
        "alarm": (after("orders", "failed", "timed_out"),),
        "stranger": (after("customers", "succeeded"),),
        "asleep": (after("orders", "succeeded"),),
    }
    await bench.put(text("report"), text("alarm"), text("stranger"), text("asleep", active=False))
    outcome = Outcome(state="succeeded", outputs={"sent": 3})
    (request,) = await bench.workflows.list_followers(DEFAULT_TENANT, ended("orders"), outcome)
    assert (request.workflow, request.delivery, request.overlap) == ("report", "chain@run-1", "queue")
    assert request.trigger == TriggerInfo(
        type="after",
        id="chain",
        data={"workflow": "orders", "run_id": "run-1", "state": "succeeded", "outputs": {"sent": 3}},
    )
    failures = await bench.workflows.list_followers(DEFAULT_TENANT, ended("orders"), Outcome(state="failed"))
    assert [each.workflow for each in failures] == ["alarm"]


async def test_follower_that_cannot_be_made_is_left_out(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Wrong inputs of one follower are logged and do not keep the others from following."""
    wrong: dict[str, Json] = {"unknown": 1}
    bench.compiler.triggers = {
        "bad": (after("orders", "succeeded", inputs=PythonTemplate(wrong)),),
        "good": (after("orders", "succeeded"),),
    }
    await bench.put(text("bad"), text("good"))
    with caplog.at_level(logging.ERROR, "ipaas.workflows"):
        requests = await bench.workflows.list_followers(DEFAULT_TENANT, ended("orders"), Outcome(state="succeeded"))
    assert [each.workflow for each in requests] == ["good"]
    assert ["takes no inputs" in each.message for each in caplog.records] == [True]
