import json
from pathlib import Path

import pytest

from tests.cli.processes import ipaas, write_project

GOOD = "version: 1\nsteps:\n  - uses: flow.log\n    with: {message: hi}\n"
BAD = "version: 1\nsteps:\n  - id: say\n    uses: flow.log\n    wiht: {}\n    with: {message: hi}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, good=GOOD)


def test_good_folder_is_silent_on_standard_output(project: Path) -> None:
    """Without problems there is no answer but the exit code; the summary is on standard error."""
    done = ipaas("validate", cwd=project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "1 file: no problems\n")


def test_every_problem_is_printed_with_place_and_hint(project: Path) -> None:
    """All problems of all files are printed, sorted by place, exit code 2."""
    for name in ("b", "a"):
        (project / "pipelines" / f"{name}.yaml").write_text(BAD)
    done = ipaas("validate", cwd=project)
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert lines[0] == "pipelines/a.yaml:5:5: unknown key `wiht` in step `say` [unknown-key]"
    assert lines[1] == "  hint: did you mean `with`?"
    assert any(line.startswith("pipelines/b.yaml:5:5: unknown key") for line in lines)
    assert done.stderr.startswith("3 files: ")


@pytest.mark.parametrize("arguments", [("--json",), ("--format", "json")], ids=" ".join)
def test_problems_as_json(arguments: tuple[str, ...], project: Path) -> None:
    """As JSON each problem is an object; a good folder is an empty array."""
    assert json.loads(ipaas("validate", *arguments, cwd=project).stdout) == []
    (project / "pipelines" / "a.yaml").write_text(BAD)
    problems = json.loads(ipaas("validate", *arguments, cwd=project).stdout)
    assert {"file": "pipelines/a.yaml", "line": 5, "column": 5, "code": "unknown-key"}.items() <= problems[0].items()


def test_problems_for_github_and_code_scanning(project: Path) -> None:
    """`github` writes annotations, `sarif` a report of version 2.1.0."""
    (project / "pipelines" / "a.yaml").write_text(BAD)
    assert ipaas("validate", "--format", "github", cwd=project).stdout.startswith(
        "::error file=pipelines/a.yaml,line=5,col=5"
    )
    report = json.loads(ipaas("validate", "--format", "sarif", cwd=project).stdout)
    assert report["version"] == "2.1.0"
    assert report["runs"][0]["results"][0]["ruleId"] == "unknown-key"


def test_named_files_and_folders(project: Path) -> None:
    """Only what is named is checked; a path that is not there is wrong input."""
    (project / "pipelines" / "a.yaml").write_text(BAD)
    assert ipaas("validate", "pipelines/good.yaml", cwd=project).returncode == 0
    assert ipaas("validate", "pipelines/good.yaml", "pipelines/a.yaml", cwd=project).returncode == 2
    assert ipaas("validate", "pipelines", cwd=project).returncode == 2
    done = ipaas("validate", "pipelines/nowhere.yaml", cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no ")


def test_cache_does_not_hide_a_change(project: Path) -> None:
    """An unchanged file is taken from the cache, a changed one is checked again, with and without the cache."""
    path = project / "pipelines" / "good.yaml"
    for text, code in ((GOOD, 0), (BAD, 2), (BAD, 2), (GOOD, 0)):
        path.write_text(text)
        assert ipaas("validate", cwd=project).returncode == code
        assert ipaas("validate", "--no-cache", cwd=project).returncode == code
    assert (project / ".cache" / "ipaas").is_dir()


def test_cache_that_cannot_be_written_is_no_error(project: Path) -> None:
    """A read-only home costs time, not the answer."""
    (project / "blocked").write_text("")
    done = ipaas("validate", cwd=project, env={"XDG_CACHE_HOME": str(project / "blocked")})
    assert done.returncode == 0, done.stderr


def test_broken_plugin_costs_only_what_needs_it(project: Path) -> None:
    """A plugin that cannot be loaded is reported; files that do not use it pass."""
    (project / "plugins" / "bad.py").write_text("import nothing_of_this_name\n")
    done = ipaas("validate", cwd=project)
    assert done.returncode == 0
    assert "plugin `bad` could not be loaded" in done.stderr


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b"a: &a [*a]\n", b"\x00", b"a: !!python/object:os.system x\n", b"\xff\xfe", b"a: 1\n---\nb: 2\n"],
    ids=["deep", "recursive", "nul", "tag", "utf-16", "two documents"],
)
def test_hostile_text_is_a_problem(text: bytes, project: Path) -> None:
    """Hostile files are located problems: no traceback, exit code 2."""
    (project / "pipelines" / "hostile.yaml").write_bytes(text)
    done = ipaas("validate", "pipelines/hostile.yaml", cwd=project)
    assert done.returncode == 2
    assert done.stdout.startswith("pipelines/hostile.yaml:")
    assert "Traceback" not in done.stderr
