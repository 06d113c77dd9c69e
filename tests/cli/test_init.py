import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipaas.cli import main

FILES = [".gitignore", "README.md", "pipelines/hello.yaml", "plugins/greeting.py", "schemas/workflow.schema.json"]


def ipaas(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the real command in a folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("IPAAS_")}
    environ |= {"PYTHONPATH": str(Path(__file__).parent.parent.parent), "XDG_CACHE_HOME": str(cwd / ".cache")}
    command = [sys.executable, "-m", "ipaas", *arguments]
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=120)


def list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_new_project_validates_and_runs(tmp_path: Path) -> None:
    """What `init` writes passes `validate` and ends as succeeded."""
    assert ipaas("init", "shop", cwd=tmp_path).returncode == 0
    shop = tmp_path / "shop"
    assert list_files(shop) == FILES
    validated = ipaas("validate", cwd=shop)
    assert (validated.returncode, validated.stdout, validated.stderr) == (0, "", "1 file: no problems\n")
    run = ipaas("run", "pipelines/hello.yaml", "--input", 'people=["Linus"]', cwd=shop)
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert (document["state"], document["outputs"]) == ("succeeded", {"greetings": ["Hello, Linus!"]})


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file in the way: it is named, nothing is written, exit code 2."""
    (tmp_path / "README.md").write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: `{tmp_path}/README.md` exists already, and `ipaas init` overwrites nothing\n  hint: name an empty folder\n"
    )
    assert list_files(tmp_path) == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_link_to_nowhere_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dangling link in the way counts as a file: nothing is written through it."""
    (tmp_path / "README.md").symlink_to(tmp_path / "elsewhere")
    assert main(["init", str(tmp_path)]) == 2
    assert not (tmp_path / "elsewhere").exists()


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`init FILE` is refused."""
    (tmp_path / "shop").write_text("")
    assert main(["init", str(tmp_path / "shop")]) == 2
    assert capsys.readouterr().err.startswith(f"error: `{tmp_path}/shop` is a file\n")


def test_json_lists_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` the answer is the folder and its files."""
    folder = tmp_path / "shop"
    assert main(["init", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "folder": str(folder),
        "files": [str(folder / name) for name in FILES],
    }


def test_readme_commands_work(tmp_path: Path) -> None:
    """Every command of the README but `serve` ends with 0."""
    assert main(["init", str(tmp_path / "shop")]) == 0
    shop = tmp_path / "shop"
    lines = [
        line.removeprefix("$ ipaas ")
        for line in (shop / "README.md").read_text().splitlines()
        if line.startswith("$ ipaas")
    ]
    commands = [line.partition("#")[0].strip() for line in lines]
    assert "serve" in commands
    for command in commands:
        if command != "serve":
            done = ipaas(*(part.strip("'") for part in command.split()), cwd=shop)
            assert done.returncode == 0, done.stderr
