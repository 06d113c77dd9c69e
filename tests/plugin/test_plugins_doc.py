import re
import subprocess
import sys
from pathlib import Path

import ipaas.plugin
from ipaas.errors import ERROR_TYPES
from ipaas.plugin import Context
from ipaas.plugin.hookspecs import Hooks
from ipaas.plugin.http_client import RequestOptions
from ipaas.registry import load_registry

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))


def missing(names: list[str]) -> list[str]:
    """Return the names that the page does not mention as code."""
    code = " ".join(re.findall(r"`[^`]+`|```.*?```", TEXT, re.DOTALL))
    return [name for name in names if not re.search(rf"\b{re.escape(name)}\b", code)]


def test_shown_plugin_works_and_passes_its_shown_test(tmp_path: Path) -> None:
    """The plugin and the test of the tutorial, written to disk as shown, pass."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\nfilterwarnings = error\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, "4 passed" in done.stdout) == (0, True), done.stdout


def test_shown_plugin_is_loaded_from_the_project_folder(tmp_path: Path) -> None:
    """The plugin of the tutorial comes through the local door and has the schemas that the page speaks of."""
    (tmp_path / "tickets.py").write_text(FILES["plugins/tickets.py"], encoding="utf-8")
    registry = load_registry(local=[tmp_path], entry_points=False, config_env={})
    assert [(plugin.connectors, plugin.error) for plugin in registry.plugins if plugin.name == "tickets"] == [
        (("tickets",), "")
    ]
    spec = registry.catalog["tickets.create"]
    assert (spec.summary, spec.effect, spec.input_schema["required"]) == ("Open a ticket.", "write", ["title"])


def test_everything_that_authors_import_is_documented() -> None:
    """Each name of the public API stands on the page."""
    assert missing(list(ipaas.plugin.__all__)) == []


def test_every_part_of_the_context_is_documented() -> None:
    """Each attribute of the context stands on the page."""
    names = [name for name in dir(Context) if not name.startswith("_")]
    assert missing([f"ctx.{name}" for name in names]) == []


def test_every_request_option_error_type_and_hook_is_documented() -> None:
    """Each option of a request, each error type and each hook stands on the page."""
    options = list(RequestOptions.__annotations__)
    hooks = [name for name in vars(Hooks) if name.startswith("ipaas_")]
    assert missing([*options, *ERROR_TYPES, *hooks]) == []
