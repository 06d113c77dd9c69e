from pathlib import Path

import pytest

from ipaas.registry import Registry, load_registry
from ipaas.testing.connector_conformance import list_faults
from tests.plugins.input_tables import render_tables

PLUGINS = Path(__file__).parent.parent.parent / "plugins"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(entry_points=False, config_env={})


def test_every_bundled_plugin_loads(registry: Registry) -> None:
    """What stands in the folder of bundled plugins is loaded, without an error."""
    assert [(plugin.name, plugin.error) for plugin in registry.plugins] == [
        (name, "") for name in ("data", "files", "flow", "http")
    ]


@pytest.mark.parametrize("name", ["data", "files", "flow", "http"])
def test_bundled_connectors_keep_to_the_rules(registry: Registry, name: str) -> None:
    """Bundled connectors pass the check that other authors' connectors are held to."""
    assert list_faults(registry.connectors[name]) == []


def test_http_and_files_share_the_files_root() -> None:
    """Files that steps write are those that steps send: one setting is the root of both."""
    registry = load_registry(entry_points=False, config_env={"IPAAS_FILES_ROOT": "/srv/files"})
    assert registry.actions["files.read"].config["root"] == "/srv/files"
    assert registry.actions["http.post"].config["files.root"] == "/srv/files"


@pytest.mark.parametrize("name", ["data", "files", "flow", "http"])
def test_input_tables_in_the_documents_are_true(registry: Registry, name: str, request: pytest.FixtureRequest) -> None:
    """The tables of inputs say what the actions declare; `--update` writes them."""
    path = PLUGINS.parent / "docs" / "connectors" / f"{name}.md"
    page = path.read_text(encoding="utf-8")
    rendered = render_tables(page, registry.catalog)
    if request.config.getoption("--update"):
        path.write_text(rendered, encoding="utf-8")
        page = rendered
    assert page == rendered
    assert "<!-- inputs of" in page
