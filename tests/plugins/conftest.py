"""The bundled connectors as a host sees them."""

from collections.abc import Mapping

import pytest

from ipaas.plugin import Action
from ipaas.registry import load_registry
from tests.plugins.bundled import Bench


@pytest.fixture(scope="session")
def actions() -> Mapping[str, Action]:
    """Every bundled action, found as the server finds it."""
    registry = load_registry(entry_points=False, config_env={})
    assert [plugin.error for plugin in registry.plugins] == [""] * len(registry.plugins)
    return registry.actions


@pytest.fixture
def act(actions: Mapping[str, Action]) -> Bench:
    return Bench(actions)
