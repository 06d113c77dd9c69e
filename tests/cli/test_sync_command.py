import json
from pathlib import Path

import pytest

from tests.cli.processes import ipaas, write_project

DATABASE = ("--database", "sqlite:///test.db")


def text(message: str) -> str:
    return f"version: 1\nsteps:\n  - uses: flow.log\n    with: {{message: {message}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, first=text("a"), second=text("b"))


def test_sync_changes_what_plan_shows(project: Path) -> None:
    """`plan` shows the change and makes no database; `sync` makes it; then there is nothing to do."""
    planned = ipaas("plan", *DATABASE, cwd=project)
    assert planned.stdout == "+  first   pipelines/first.yaml\n+  second  pipelines/second.yaml\nplan: 2 added\n"
    assert not (project / "test.db").exists()
    synced = ipaas("sync", *DATABASE, cwd=project)
    assert (synced.returncode, synced.stdout) == (0, planned.stdout.replace("plan: ", ""))
    assert ipaas("sync", "--plan", *DATABASE, cwd=project).stdout == "plan: 2 unchanged\n"


def test_change_removal_and_deactivation_are_shown(project: Path) -> None:
    """A changed, a removed and a switched-off workflow each have their line, and the deactivation outlives the sync."""
    assert ipaas("sync", *DATABASE, cwd=project).returncode == 0
    assert ipaas("workflows", "deactivate", "first", *DATABASE, cwd=project).returncode == 0
    (project / "pipelines" / "first.yaml").write_text(text("changed"))
    (project / "pipelines" / "second.yaml").unlink()
    (project / "pipelines" / "third.yaml").write_text("active: false\n" + text("c"))
    done = ipaas("sync", *DATABASE, cwd=project)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "~  first   pipelines/first.yaml   (text) stays inactive\n"
        "-  second  pipelines/second.yaml\n"
        "+  third   pipelines/third.yaml   inactive\n"
        "1 added, 1 changed, 1 removed\n"
    )
    rows = json.loads(ipaas("workflows", "list", "--json", *DATABASE, cwd=project).stdout)
    assert {row["id"]: row["active"] for row in rows} == {"first": False, "third": False}
    assert "inactive: first, third\n" in ipaas("plan", *DATABASE, cwd=project).stdout


def test_json_has_the_change(project: Path) -> None:
    """As JSON the plan has its four lists and whether it was applied."""
    document = json.loads(ipaas("plan", "--json", *DATABASE, cwd=project).stdout)
    assert document["applied"] is False
    assert [entry["id"] for entry in document["added"]] == ["first", "second"]
    assert (document["changed"], document["removed"], document["unchanged"]) == ([], [], [])
    assert json.loads(ipaas("sync", "--json", *DATABASE, cwd=project).stdout)["applied"] is True


@pytest.mark.parametrize("command", ["sync", "plan"])
def test_problem_anywhere_changes_nothing(command: str, project: Path) -> None:
    """One problem in one file: all problems, exit code 2, no database."""
    (project / "pipelines" / "bad.yaml").write_text("version: 1\nstpes: []\n")
    done = ipaas(command, *DATABASE, cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("pipelines/bad.yaml:")
    assert not (project / "test.db").exists()


def test_empty_folder_does_not_remove_everything(project: Path) -> None:
    """A folder without pipelines is taken for the wrong folder when the database has workflows."""
    assert ipaas("sync", *DATABASE, cwd=project).returncode == 0
    (project / "empty").mkdir()
    done = ipaas("sync", "--pipelines", "empty", *DATABASE, cwd=project)
    assert done.returncode == 2
    assert done.stderr.startswith("error: `empty` has no pipeline file, and the database has 2 workflows")
    assert len(json.loads(ipaas("workflows", "list", "--json", *DATABASE, cwd=project).stdout)) == 2


def test_schedule_shows_next_instants(project: Path) -> None:
    """`schedule next` prints instants of files, and of the database without those that are switched off."""
    (project / "pipelines" / "first.yaml").write_text(
        text("a") + 'triggers:\n  - {id: daily, cron: "0 7 * * *", timezone: Europe/Berlin}\n'
    )
    arguments = ("schedule", "next", "--after", "2026-03-28T00:00:00Z", "--count", "2", "--json")
    rows = json.loads(ipaas(*arguments, cwd=project).stdout)
    assert [row["at"] for row in rows] == ["2026-03-28T06:00:00Z", "2026-03-29T05:00:00Z"]
    assert rows[0] == {
        "at": "2026-03-28T06:00:00Z",
        "workflow": "first",
        "trigger": "daily",
        "timing": "cron 0 7 * * * (Europe/Berlin)",
    }
    assert json.loads(ipaas(*arguments, "pipelines/second.yaml", cwd=project).stdout) == []
    assert ipaas("sync", *DATABASE, cwd=project).returncode == 0
    assert len(json.loads(ipaas(*arguments, "first", *DATABASE, cwd=project).stdout)) == 2
    assert ipaas("workflows", "deactivate", "first", *DATABASE, cwd=project).returncode == 0
    assert json.loads(ipaas(*arguments, *DATABASE, cwd=project).stdout) == []
    done = ipaas("schedule", "next", "frist", cwd=project)
    assert (done.returncode, done.stderr) == (
        2,
        "error: there is no workflow `frist` in `pipelines`\n  hint: did you mean `first`?\n",
    )
    assert ipaas("schedule", "next", "--after", "soon", cwd=project).returncode == 2


def test_graph_draws_a_file(project: Path) -> None:
    """`graph` prints Mermaid or DOT of a checked file, and problems of one that is wrong."""
    assert ipaas("graph", "pipelines/first.yaml", cwd=project).stdout.startswith("flowchart TD\n")
    assert ipaas("graph", "pipelines/first.yaml", "--format", "dot", cwd=project).stdout.startswith(
        "digraph workflow {\n"
    )
    assert json.loads(ipaas("graph", "pipelines/first.yaml", "--json", cwd=project).stdout)["workflow"] == "first"
    (project / "pipelines" / "bad.yaml").write_text("version: 1\nstpes: []\n")
    done = ipaas("graph", "pipelines/bad.yaml", cwd=project)
    assert (done.returncode, done.stdout) == (2, "")


def test_plugins_are_listed_and_shown(project: Path) -> None:
    """`plugins` knows bundled and local connectors, shows one action, and names the nearest."""
    (project / "plugins" / "bad.py").write_text("import nothing_of_this_name\n")
    rows = {row["name"]: row for row in json.loads(ipaas("plugins", "list", "--json", cwd=project).stdout)}
    assert (rows["flow"]["source"], rows["flow"]["error"]) == ("bundled", None)
    assert rows["probe"]["source"] == "local"
    assert {"probe.hold", "probe.stuck"} <= set(rows["probe"]["actions"])
    assert "nothing_of_this_name" in rows["bad"]["error"]
    (spec,) = json.loads(ipaas("plugins", "show", "probe.hold", "--json", cwd=project).stdout)
    assert (spec["name"], spec["input_schema"]["required"]) == ("probe.hold", ["folder"])
    assert "folder: string" in ipaas("plugins", "show", "probe", cwd=project).stdout
    done = ipaas("plugins", "show", "probe.hlod", cwd=project)
    assert (done.returncode, "did you mean `probe.hold`?" in done.stderr) == (2, True)
