"""A wheel built from this tree works in an empty environment, away from the checkout."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


class Installed:
    """An environment that holds nothing but the wheel and what the wheel asks for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv" / "bin"

    def ipaas(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the installed command in a folder outside the checkout, with an environment that knows nothing of it."""
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8"}
        return subprocess.run(
            [self.bin / "ipaas", *arguments],
            cwd=cwd or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def run_checked(command: Sequence[str | Path], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    run_checked([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], folder)
    (wheel,) = folder.glob("ipaas-*.whl")
    venv.create(folder / "venv", with_pip=True)
    run_checked([folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", wheel], folder)
    return Installed(folder)


def test_bundled_plugins_come_with_the_wheel(installed: Installed) -> None:
    """The installed command lists the bundled connectors, none broken."""
    done = installed.ipaas("plugins", "list", "--json")
    assert done.returncode == 0, done.stderr
    plugins = {plugin["name"]: plugin["error"] for plugin in json.loads(done.stdout)}
    assert plugins == {"data": None, "files": None, "flow": None, "http": None}


def test_schema_comes_with_the_wheel(installed: Installed) -> None:
    """The installed command prints the schema that the checkout has."""
    done = installed.ipaas("schema")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(
        (ROOT / "schemas" / "workflow.schema.json").read_text(encoding="utf-8")
    )


def test_new_project_validates_and_runs(installed: Installed, tmp_path: Path) -> None:
    """`init` makes a project that validates and runs, from the wheel alone."""
    project = tmp_path / "project"
    assert installed.ipaas("init", str(project)).returncode == 0
    validated = installed.ipaas("validate", cwd=project)
    assert validated.returncode == 0, validated.stderr
    run = installed.ipaas("run", "pipelines/hello.yaml", cwd=project)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["state"] == "succeeded"
