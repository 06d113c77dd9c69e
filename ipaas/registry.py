"""Every connector there is, from all three doors.

Owns the order of the doors, the names' uniqueness and the settings of connectors. Knows the plugin room, not the engine. Called by
`ipaas.project` and tests.

Bundled plugins come first, then project-local ones, then installed ones; the first to register a connector's name keeps it, and the
later plugin is an error. So nothing can take the place of a bundled connector, and a project's own plugin wins over an installed one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, final

from ipaas import __version__
from ipaas.errors import PluginError
from ipaas.model import ActionSpec
from ipaas.plugin.config import Config
from ipaas.plugin.loading import FoundPlugin, Source, digest_files, find_installed_plugins, find_plugins, load_plugin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.model import Catalog
    from ipaas.plugin.action import Action
    from ipaas.plugin.connector import Connector

PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """One plugin, loaded or not.

    Attributes:
        path: of its file or folder, when it has one.
        connectors: names of what it registered; empty when it is broken.
        error: what is wrong, with file, line and cure; empty when nothing is.
    """

    name: str
    source: Source
    path: Path | None = None
    connectors: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What was found. Immutable; schemas of bundled actions are built when they are first looked at.

    Attributes:
        actions: by `<connector>.<action>`, bound to their plugin and its settings.
        catalog: what the actions promise, by the same names.
        connectors: by name.
        plugins: bundled, local, installed; by name within each.
        fingerprint: changes whenever a plugin, or what makes schemas of it, changes.
    """

    actions: Mapping[str, Action]
    catalog: Catalog
    connectors: Mapping[str, Connector] = field(repr=False)
    plugins: tuple[PluginInfo, ...]
    fingerprint: str


@final
class _LazyCatalog(Mapping[str, ActionSpec]):
    """The specs of actions, each built at its first look-up: 3 ms an action, of which most pipelines use a few."""

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions

    def __getitem__(self, name: str) -> ActionSpec:
        return self._actions[name].spec

    def __contains__(self, name: object) -> bool:
        return name in self._actions

    def __iter__(self) -> Iterator[str]:
        return iter(self._actions)

    def __len__(self) -> int:
        return len(self._actions)


def load_registry(
    *, local: Sequence[Path] = (), entry_points: bool = True, config_env: Mapping[str, str], bundled: Path | None = None
) -> Registry:
    """Find and load every plugin; a broken one is listed with its error.

    Args:
        local: folders with a project's own plugins; the bundled folder among them is not loaded twice.
        entry_points: whether to load plugins of installed packages.
        config_env: variables that connectors' settings come from: `IPAAS_<CONNECTOR>_<SETTING>`.
        bundled: the folder of bundled plugins; default: that of this installation.

    Raises:
        InputError: a folder in `local` is not there.
    """
    bundled = bundled or find_bundled_folder()
    found = find_plugins(bundled, "bundled")
    seen = {bundled.resolve()}
    for folder in local:
        if folder.resolve() not in seen:
            seen.add(folder.resolve())
            found += find_plugins(folder, "local")
    if entry_points:
        found += find_installed_plugins()
    return _Doors(config_env).load(found)


def find_bundled_folder() -> Path:
    """Return the folder of bundled plugins: `plugins` of a checkout, `ipaas/_bundled/plugins` of an installed wheel.

    Raises:
        PluginError: neither is there.
    """
    for folder in (PACKAGE / "_bundled" / "plugins", PACKAGE.parent / "plugins"):
        if folder.is_dir():
            return folder
    raise PluginError("the bundled plugins are missing", plugin="ipaas", path=PACKAGE, hint="install ipaas again")


@final
class _Doors:
    """Takes plugins in, one after the other, and keeps what each brought."""

    def __init__(self, config_env: Mapping[str, str]) -> None:
        self._config_env = config_env
        self._actions: dict[str, Action] = {}
        self._connectors: dict[str, Connector] = {}
        self._owners: dict[str, FoundPlugin] = {}
        self._plugins: list[PluginInfo] = []
        self._digest = hashlib.sha256(f"{__version__}\0".encode())
        # The code that makes schemas of signatures counts like the plugins themselves.
        self._digest.update(digest_files(PACKAGE / "plugin").encode())

    def load(self, found: Sequence[FoundPlugin]) -> Registry:
        for plugin in found:
            self._plugins.append(self._take(plugin))
        return Registry(
            actions=MappingProxyType(self._actions),
            catalog=_LazyCatalog(self._actions),
            connectors=MappingProxyType(self._connectors),
            plugins=tuple(self._plugins),
            fingerprint=self._digest.hexdigest(),
        )

    def _take(self, found: FoundPlugin) -> PluginInfo:
        try:
            loaded = load_plugin(found)
            for connector in loaded.connectors:
                self._check_is_free(connector, found)
        except PluginError as error:
            message = f"{error.message} ({error.hint})" if error.hint else error.message
            return PluginInfo(name=found.name, source=found.source, path=found.path or error.path, error=message)
        for connector in loaded.connectors:
            self._owners[connector.name] = found
            self._connectors[connector.name] = connector
            config = Config(connector.name, connector.config, self._config_env)
            for action in connector.actions:
                self._actions[action.name] = replace(action, plugin=found.name, config=config)
        self._digest.update(f"{found.source}\0{found.name}\0{loaded.digest}\0".encode())
        names = tuple(connector.name for connector in loaded.connectors)
        return PluginInfo(name=found.name, source=found.source, path=loaded.path, connectors=names)

    def _check_is_free(self, connector: Connector, found: FoundPlugin) -> None:
        owner = self._owners.get(connector.name)
        if owner is not None:
            raise PluginError(
                f"{connector.place}: the connector `{connector.name}` is already registered by the {owner.source} plugin "
                f"`{owner.name}`",
                plugin=found.name,
                path=found.path,
                hint="give yours another name",
            )
