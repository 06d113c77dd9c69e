"""The bundled connectors as a host sees them."""

import importlib
from collections.abc import Mapping
from typing import Any

import pytest

from ipaas.plugin import Action
from tests.plugins.bundled import Bench


@pytest.fixture(scope="session")
def actions() -> Mapping[str, Action]:
    found: dict[str, Action] = {}
    for name in ("data", "files", "flow", "http"):
        try:
            module: Any = importlib.import_module(f"plugins.{name}")
        except ModuleNotFoundError:
            continue
        found.update({action.name: action for connector in module.ipaas_connectors() for action in connector.actions})
    return found


@pytest.fixture
def act(actions: Mapping[str, Action]) -> Bench:
    return Bench(actions)
