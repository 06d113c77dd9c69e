from pathlib import Path

import pytest

from ipaas.app import list_all_workflows, make_plan, rehearse, run_once, sync
from ipaas.engine.system_clock import SystemClock
from ipaas.errors import InputError
from ipaas.project import Project
from ipaas.run import Run, StepResult
from ipaas.settings import load_settings
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, Change, WorkflowText
from tests.cli.processes import write_project

GOOD = "version: 1\ninputs:\n  n: {type: integer}\nsteps:\n  - id: a\n    uses: flow.set\n    with: {n: '${{ inputs.n }}'}\noutputs:\n  n: ${{ steps.a.output.n }}\n"


def make(folder: Path, **more: object) -> Project:
    return Project(load_settings(pipelines=folder / "pipelines", **more), cached=False)


async def test_plan_then_sync_makes_the_store_equal(tmp_path: Path) -> None:
    """A plan changes nothing, a sync does what it showed, and then there is nothing to do."""
    write_project(tmp_path, a=GOOD, b=GOOD)
    project = make(tmp_path)
    async with open_store("memory:", SystemClock()) as store:
        plan = await make_plan(store, project)
        assert await list_all_workflows(store) == []
        assert await sync(store, project) == plan
        assert [row.id for row in await list_all_workflows(store)] == ["a", "b"]
        assert (await make_plan(store, project)).is_empty


async def test_every_page_is_read() -> None:
    """More workflows than one page holds are all listed, by id."""
    texts = tuple(WorkflowText(id=f"w{number:03}", version="v", path="w.yaml", source="") for number in range(250))
    async with open_store("memory:", SystemClock()) as store:
        await store.apply(DEFAULT_TENANT, Change(put=texts))
        assert [row.id for row in await list_all_workflows(store)] == [text.id for text in texts]


async def test_emptied_folder_keeps_what_is_stored(tmp_path: Path) -> None:
    """When the last file is gone a sync is refused, and the Store untouched."""
    write_project(tmp_path, a=GOOD)
    async with open_store("memory:", SystemClock()) as store:
        await sync(store, make(tmp_path))
        (tmp_path / "pipelines" / "a.yaml").unlink()
        with pytest.raises(InputError) as caught:
            await sync(store, make(tmp_path))
        assert "a sync would remove it" in caught.value.message
        assert [row.id for row in await list_all_workflows(store)] == ["a"]


class Seen:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.paths: list[str] = []

    def run_changed(self, run: Run) -> None:
        self.states.append(run.state)

    def step_changed(self, run: Run, result: StepResult) -> None:
        self.paths.append(f"{result.path} {result.status}")

    def line_logged(self, run: Run, line: object) -> None:
        raise AssertionError("nothing logs here")


async def test_run_once_tells_observers_and_returns_the_run(tmp_path: Path) -> None:
    """One run in memory: observers see it, the result has its outputs and steps."""
    write_project(tmp_path, a=GOOD)
    project = make(tmp_path, database="memory:")
    workflow = project.load_file(tmp_path / "pipelines" / "a.yaml")
    seen = Seen()
    result = await run_once(project.settings, project, workflow, {"n": 7}, texts=[workflow], observers=[seen])
    assert (result.run.state, result.run.outputs, result.interrupted) == ("succeeded", {"n": 7}, False)
    assert [step.path for step in result.steps] == ["a"]
    assert (seen.states, seen.paths[-1]) == (["running", "succeeded"], "a succeeded")


class LetGo(Seen):
    """Lets the held child go once its parent has ended."""

    def __init__(self, go: Path) -> None:
        super().__init__()
        self._go = go

    def run_changed(self, run: Run) -> None:
        self.states.append(f"{run.workflow} {run.state}")
        if run.workflow == "parent" and run.state == "succeeded":
            self._go.write_text("")

    def line_logged(self, run: Run, line: object) -> None:
        """The held action says that it holds."""


async def test_child_that_nobody_waits_for_still_ends(tmp_path: Path) -> None:
    """A run started with `wait: false` that is under way when its parent has ended is executed to its end."""
    hold = f"version: 1\nsteps:\n  - uses: probe.hold\n    with: {{folder: {tmp_path}}}\n"
    write_project(tmp_path, parent="version: 1\nsteps:\n  - {run_workflow: hold, wait: false}\n", hold=hold)
    project = make(tmp_path, database="memory:")
    workflow, called = project.load_with_calls(tmp_path / "pipelines" / "parent.yaml")
    seen = LetGo(tmp_path / "go")
    await run_once(project.settings, project, workflow, {}, texts=[workflow, *called.values()], observers=[seen])
    assert seen.states.index("parent succeeded") < seen.states.index("hold succeeded")


@pytest.mark.parametrize("inputs", [{}, {"n": "x"}, {"n": 1, "m": 2}])
async def test_inputs_are_checked_before_anything_is_opened(inputs: dict[str, object], tmp_path: Path) -> None:
    """Missing, wrong and unknown inputs are refused; no database is made."""
    write_project(tmp_path, a=GOOD)
    project = make(tmp_path, database=str(tmp_path / "test.db"))
    workflow = project.load_file(tmp_path / "pipelines" / "a.yaml")
    with pytest.raises(InputError):
        await run_once(project.settings, project, workflow, inputs, texts=[workflow])  # type: ignore[arg-type]  # JSON all the same
    assert not (tmp_path / "test.db").exists()


async def test_rehearsal_follows_the_steps(tmp_path: Path) -> None:
    """A rehearsal checks the inputs, performs what touches nothing, and ends as the run would."""
    write_project(tmp_path, a=GOOD)
    project = make(tmp_path)
    workflow = project.load_file(tmp_path / "pipelines" / "a.yaml")
    dry = await rehearse(project, workflow, {"n": 7}, find_workflow=lambda _: None)
    assert (dry.outcome.state, dry.outcome.outputs) == ("succeeded", {"n": 7})
