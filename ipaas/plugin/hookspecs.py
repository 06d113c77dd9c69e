"""The hooks of plugins, and the door through which they are called.

Owns the pluggy project `ipaas` and its one hook. pluggy works at start-up only; actions are awaited directly. Authors import
`hookimpl`; the registry calls `list_connectors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from ipaas.plugin.connector import Connector

PROJECT = "ipaas"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """Every hook that a plugin module (or an object) may implement."""

    @hookspec
    def ipaas_connectors(self) -> list[Connector]:  # type: ignore[empty-body]  # a specification: plugins have the body
        """Return the plugin's connectors. Called once, when the plugin is loaded; must not touch network or disk."""


def list_connectors(plugin: object, name: str) -> list[Any]:
    """Register one plugin alone and return what its hook returned, unchecked, one entry an implementation.

    Each plugin gets its own plugin manager: a hook that raises stops the ones after it, and must not stop other plugins.

    Raises:
        pluggy.PluginValidationError: the module implements a hook that does not exist or takes other arguments.
        BaseException: whatever the plugin's function raises.
    """
    registered = pluggy.PluginManager(PROJECT)
    registered.add_hookspecs(Hooks)
    registered.register(plugin, name=name)
    registered.check_pending()
    found: list[Any] = registered.hook.ipaas_connectors()
    return found
