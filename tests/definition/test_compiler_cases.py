"""Every mistake as a file with the problems that it gives beside it. `IPAAS_UPDATE_SNAPSHOTS=1` writes the expected texts anew."""

import os
from pathlib import Path

import pytest

from ipaas.definition import CompileOptions, compile_text, load_folder
from ipaas.definition.report import render_problems
from tests.definition.definition_catalog import CATALOG

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.yaml"))
FOLDERS = sorted(path for path in (HERE / "folders").iterdir() if path.is_dir())
OPTIONS = CompileOptions(timezone="UTC", env_names=frozenset({"REGION"}))


def compare(expected: Path, actual: str) -> None:
    if os.environ.get("IPAAS_UPDATE_SNAPSHOTS"):
        expected.write_text(actual, encoding="utf-8")
    assert actual == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_mistake_gives_its_problems(path: Path) -> None:
    """Each file gives exactly the problems that stand beside it, and no workflow."""
    compiled = compile_text(path.read_bytes(), path.name, CATALOG, OPTIONS, {})
    compare(path.with_suffix(".txt"), render_problems(compiled.problems, "text") + "\n")
    assert compiled.problems
    assert compiled.workflow is None


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_a_folder_gives_its_problems(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes between files are told with those inside them, in the order of the files."""
    monkeypatch.chdir(path.parent)
    loaded = load_folder(Path(path.name), CATALOG, OPTIONS)
    compare(path.with_suffix(".txt"), render_problems(loaded.problems, "text") + "\n")
    assert loaded.problems
