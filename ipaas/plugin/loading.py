"""From a folder or an installed package to connectors, whatever stands in the way.

Owns the finding and importing of plugins and the wording of what went wrong. One broken plugin costs nothing but itself: whatever it
raises, `SystemExit` included, ends in its `PluginError`. Knows nothing of the other plugins; the registry decides between them.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ipaas.errors import InputError, PluginError
from ipaas.plugin.connector import Connector
from ipaas.plugin.hookspecs import list_connectors

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from types import ModuleType

Source = Literal["bundled", "local", "installed"]

MAX_DIGESTED: Final = 4 * 1024 * 1024
"""Bytes of one file that count for a plugin's digest; sources are far smaller, data beside them may not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlugin:
    """Where a plugin is: a file, a package folder, or an entry point of an installed package."""

    name: str
    source: Source
    path: Path | None = None
    entry_point: EntryPoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """What a plugin registered.

    Attributes:
        path: of its module, when it has one.
        digest: SHA-256 of its files, hex.
    """

    connectors: tuple[Connector, ...]
    path: Path | None
    digest: str


def find_plugins(folder: Path, source: Source) -> list[FoundPlugin]:
    """Return the plugins of a folder by name: each `*.py` file and each package, but for hidden ones, tests and `_private` ones.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"there is no plugins folder `{folder}`", hint="make it, or name another one")
    found: list[FoundPlugin] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_", "test_")) or path.stem in {"conftest", "tests"}:
            continue
        if (path.suffix == ".py" and path.is_file()) or (path / "__init__.py").is_file():
            found.append(FoundPlugin(name=path.stem, source=source, path=path))
    return found


def find_installed_plugins() -> list[FoundPlugin]:
    """Return the plugins of installed packages, which name them in the entry point group `ipaas`."""
    from importlib.metadata import entry_points

    found = [
        FoundPlugin(name=point.name, source="installed", entry_point=point) for point in entry_points(group="ipaas")
    ]
    return sorted(found, key=lambda plugin: plugin.name)


def load_plugin(found: FoundPlugin) -> LoadedPlugin:
    """Import the plugin and return its connectors, checked.

    Raises:
        PluginError: with file and line of what is wrong, and how to mend it.
    """
    root = found.path
    try:
        if found.entry_point is not None:
            plugin: object = found.entry_point.load()
            root = _module_path(plugin)
        else:
            assert root is not None, "a plugin is a path or an entry point"
            plugin = _import_path(found.name, root)
        registered = list_connectors(plugin, found.name)
    except KeyboardInterrupt:
        raise
    except (
        BaseException
    ) as error:  # a plugin may raise anything while it is imported, `SystemExit` and cancellations included
        raise _explain(error, found, root) from error
    connectors = _check_connectors(registered, found, root)
    if found.source != "bundled":
        # The schemas of bundled actions are proved by our tests and built when they are needed; those of others are built now, so
        # that a type which has no schema is this plugin's error and not that of the first workflow to use it.
        for connector in connectors:
            for action in connector.actions:
                try:
                    action.spec  # noqa: B018  # building it is the check
                except PluginError as error:
                    raise PluginError(error.message, plugin=found.name, path=error.path, hint=error.hint) from error
    return LoadedPlugin(connectors=connectors, path=root, digest=digest_files(root))


def digest_files(root: Path | None) -> str:
    """Return the SHA-256 of a file, or of a package's files by their names; of nothing for no path."""
    digest = hashlib.sha256()
    if root is not None:
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            if "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root.parent).as_posix()}\0".encode())
                with path.open("rb") as file:
                    digest.update(file.read(MAX_DIGESTED))
    return digest.hexdigest()


def _import_path(name: str, path: Path) -> ModuleType:
    """Execute the file or package anew under a name of its own, which no other plugin and no installed package has."""
    path = path.resolve()
    word = re.sub(r"\W", "_", name)
    module_name = f"_ipaas_plugin_{word}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    for loaded in [loaded for loaded in sys.modules if loaded == module_name or loaded.startswith(f"{module_name}.")]:
        del sys.modules[loaded]
    importlib.invalidate_caches()
    is_package = path.is_dir()
    spec = importlib.util.spec_from_file_location(
        module_name,
        path / "__init__.py" if is_package else path,
        submodule_search_locations=[str(path)] if is_package else None,
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"`{path}` is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(module_name, None)
        raise
    return module


def _module_path(plugin: object) -> Path | None:
    """Return the file of an entry point's module, or its folder when it is a package."""
    module = plugin if hasattr(plugin, "__file__") else sys.modules.get(getattr(plugin, "__module__", ""))
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    return Path(file).parent if Path(file).name == "__init__.py" else Path(file)


def _check_connectors(registered: list[object], found: FoundPlugin, root: Path | None) -> tuple[Connector, ...]:
    """Return the one list of connectors that the hook gave, or raise."""

    def wrong(message: str, hint: str) -> PluginError:
        return PluginError(f"{root or found.name}: {message}", plugin=found.name, path=root, hint=hint)

    if not registered:
        raise wrong(
            "registers no connector",
            "add `@hookimpl` and `def ipaas_connectors(): return [connector]`, or begin its name with `_`",
        )
    (answer,) = registered
    if not isinstance(answer, list | tuple):
        raise wrong(f"`ipaas_connectors` returns `{type(answer).__name__}`, not a list", "return `[connector]`")
    names: set[str] = set()
    for connector in answer:
        if not isinstance(connector, Connector):
            raise wrong(
                f"`ipaas_connectors` returns a list with `{type(connector).__name__}` in it, not only connectors",
                "return `Connector` objects",
            )
        if connector.name in names:
            raise wrong(f"registers the connector `{connector.name}` twice", "give one of them another name")
        if not connector.actions:
            raise wrong(
                f"the connector `{connector.name}` has no actions", "add a function with `@connector.action(effect=…)`"
            )
        names.add(connector.name)
    return tuple(answer)


def _explain(error: BaseException, found: FoundPlugin, root: Path | None) -> PluginError:
    """Return the failure of an import with its place and its cure."""
    if isinstance(error, PluginError):
        return PluginError(error.message, plugin=found.name, path=error.path or root, hint=error.hint)
    place = _find_place(error, root) or str(root or found.name)
    if isinstance(error, SyntaxError) and error.filename:
        return PluginError(
            f"{error.filename}:{error.lineno or 1}: {error.msg}",
            plugin=found.name,
            path=root,
            hint="mend the Python syntax",
        )
    if isinstance(error, SystemExit):
        message, hint = "ends the program while it is imported", "move that below `if __name__ == '__main__':`"
    elif isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("ipaas"):
        package = error.name.partition(".")[0]
        message = f"there is no module `{error.name}`"
        hint = f"install it beside ipaas (often `pip install {package}`), or for a module of your own make the plugin a folder"
    elif isinstance(error, ImportError) and (error.name or "").startswith("ipaas"):
        message = str(error).partition(" (")[0]
        hint = _near_export(error) or "import only names that docs/plugins.md lists, from `ipaas.plugin`"
    else:
        text = next(iter(str(error).splitlines()), "")
        message = f"{type(error).__name__}{f': {text}' if text else ''}"
        hint = "mend the plugin, and check it with `ipaas plugins list`"
    return PluginError(f"{place}: {message}", plugin=found.name, path=root, hint=hint)


def _find_place(error: BaseException, root: Path | None) -> str | None:
    """Return `file:line` of the innermost frame that is the plugin's own, else of the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if root is not None and Path(frame.filename).is_relative_to(root.resolve())]
    # Without a frame of its own, the failure lies in our own loading, whose place helps nobody.
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None


def _near_export(error: ImportError) -> str:
    import ipaas.plugin

    wanted = re.search(r"cannot import name '(\w+)'", str(error))
    nearest = difflib.get_close_matches(wanted[1], ipaas.plugin.__all__, n=1) if wanted else []
    return f"did you mean `{nearest[0]}`?" if nearest else ""
