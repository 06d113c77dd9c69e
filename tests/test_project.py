from pathlib import Path

import pytest

from ipaas.errors import InputError, ProblemsFound
from ipaas.project import Project, at_path
from ipaas.settings import Settings, load_settings
from ipaas.store.contract import Version
from tests.cli.processes import write_project

GOOD = "version: 1\nsteps:\n  - uses: flow.log\n    with: {message: hi}\n"
BAD = "version: 1\nstpes: []\n"


def calls(*names: str) -> str:
    return "version: 1\nsteps:\n" + "".join(f"  - run_workflow: {name}\n" for name in names)


def make(folder: Path, **more: object) -> Project:
    return Project(load_settings(pipelines=folder / "pipelines", **more), cached=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pipelines" / "team").mkdir(parents=True)
    return load_settings(pipelines=tmp_path / "pipelines")


def test_inside_the_pipelines_folder_nothing_changes(settings: Settings) -> None:
    """A file of the configured folder, also in a subfolder, belongs to the configured project."""
    assert at_path(settings, settings.pipelines / "team" / "a.yaml") is settings


def test_elsewhere_the_nearest_pipelines_folder_counts(settings: Settings, tmp_path: Path) -> None:
    """A file below another folder called `pipelines` belongs to that project, with its plugins and files."""
    other = tmp_path / "other" / "pipelines"
    (other / "team").mkdir(parents=True)
    found = at_path(settings, other / "team" / "a.yaml")
    assert (found.pipelines, found.plugins_folder, found.files_folder) == (
        other,
        tmp_path / "other" / "plugins",
        other / "files",
    )


def test_lone_file_has_its_own_folder(settings: Settings, tmp_path: Path) -> None:
    """A file outside any project has its folder as pipelines folder, with `plugins` and `files` in it."""
    lone = tmp_path / "lone"
    (lone / "plugins").mkdir(parents=True)
    found = at_path(settings, lone / "a.yaml")
    assert (found.pipelines, found.plugins_folder, found.files_folder) == (lone, lone / "plugins", lone / "files")


def test_calls_are_followed_to_the_end(tmp_path: Path) -> None:
    """A file comes with all that it starts, and they start, and nothing else."""
    write_project(tmp_path, a=calls("b"), b=calls("c"), c=GOOD, unrelated=GOOD, broken=BAD)
    workflow, called = make(tmp_path).load_with_calls(tmp_path / "pipelines" / "a.yaml")
    assert (workflow.id, sorted(called)) == ("a", ["b", "c"])


def test_broken_callee_is_what_is_told(tmp_path: Path) -> None:
    """When a file that is needed is wrong, its problems are raised; those of others are not."""
    write_project(tmp_path, a=calls("b"), b=BAD, broken=BAD)
    with pytest.raises(ProblemsFound) as caught:
        make(tmp_path).load_with_calls(tmp_path / "pipelines" / "a.yaml")
    files = {Path(problem.place.file).name for problem in caught.value.problems}
    assert "b.yaml" in files
    assert "broken.yaml" not in files


def test_missing_callee_is_told_at_its_place(tmp_path: Path) -> None:
    """A workflow that is nowhere is a problem where it is named, with the nearest id."""
    write_project(tmp_path, a=calls("orders_dialy"), orders_daily=GOOD)
    with pytest.raises(ProblemsFound) as caught:
        make(tmp_path).load_with_calls(tmp_path / "pipelines" / "a.yaml")
    (problem,) = caught.value.problems
    assert (problem.place.line, "did you mean `orders_daily`?" in problem.hint) == (3, True)


def test_any_problem_stops_the_folder(tmp_path: Path) -> None:
    """`load_workflows` returns all workflows or raises all problems."""
    write_project(tmp_path, a=GOOD, b=GOOD)
    assert [workflow.id for workflow in make(tmp_path).load_workflows()] == ["a", "b"]
    (tmp_path / "pipelines" / "bad.yaml").write_text(BAD)
    with pytest.raises(ProblemsFound):
        make(tmp_path).load_workflows()


def test_stored_text_is_compiled_once(tmp_path: Path) -> None:
    """A version that the folder had is not compiled again; an older one is, and is refused when it no longer passes."""
    write_project(tmp_path, a=GOOD)
    project = make(tmp_path)
    (workflow,) = project.load_workflows()
    version = Version(workflow="a", version=workflow.version, path=workflow.path, source=workflow.source)
    assert project.compile_version(version) is workflow
    old = Version(workflow="a", version="0" * 64, path="a.yaml", source=GOOD.replace("flow.log", "gone.action"))
    with pytest.raises(ProblemsFound):
        project.compile_version(old)


def test_only_allowed_variables_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expressions see the variables that are named in the settings and set, no others."""
    monkeypatch.setenv("REGION", "eu")
    monkeypatch.setenv("TOKEN", "hunter22")
    assert make(tmp_path, env_names="REGION,NOT_SET").read_env() == {"REGION": "eu"}


def test_named_plugins_folder_must_be_there(tmp_path: Path) -> None:
    """A folder that was named and is not there is told; the default one may be missing."""
    write_project(tmp_path, a=GOOD)
    with pytest.raises(InputError):
        make(tmp_path, plugins=tmp_path / "nowhere").load()
    (tmp_path / "plugins" / "probe.py").unlink()
    (tmp_path / "plugins").rmdir()
    assert make(tmp_path).load().problems == ()


def test_named_file_knows_the_workflows_beside_it(tmp_path: Path) -> None:
    """One file may name workflows of the folder that were not named; what is wrong with those is not told."""
    write_project(tmp_path, a=calls("b"), b=GOOD, broken=BAD)
    path = tmp_path / "pipelines" / "a.yaml"
    loaded = make(tmp_path).load([path])
    assert (loaded.files, loaded.problems) == ((str(path),), ())
    assert [workflow.id for workflow in loaded.workflows] == ["a"]


def test_named_file_that_names_nobody_is_told_who_there_is(tmp_path: Path) -> None:
    """A workflow that is nowhere in the folder is unknown, with the nearest name of the folder as a hint."""
    write_project(tmp_path, a=calls("ordes"), orders=GOOD)
    (problem,) = make(tmp_path).load([tmp_path / "pipelines" / "a.yaml"]).problems
    assert (problem.code, problem.hint) == ("unknown-workflow", "did you mean `orders`?")
