"""A project on disk: its pipelines folder, checked with the connectors that are there.

Owns the way from settings to plugins and compiled workflows, and the memory of what is compiled. Knows the definition and the
registry; opens no Store. Called by `ipaas.app` and the command line.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ipaas.errors import InputError, ProblemsFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.definition import CompileOptions, Loaded
    from ipaas.model import Workflow
    from ipaas.registry import Registry
    from ipaas.settings import Settings
    from ipaas.store.contract import Version


class Project:
    """One project. Plugins are loaded at first need, once; files are read anew at each load.

    Args:
        settings: where its folders are.
        cached: whether files that did not change are taken from the cache folder.
    """

    def __init__(self, settings: Settings, *, cached: bool = True) -> None:
        self.settings = settings
        self._cache = settings.cache_folder if cached else None
        self._compiled: dict[tuple[str, str], Workflow] = {}

    @cached_property
    def registry(self) -> Registry:
        """Every connector there is. A broken plugin is listed with its error and costs only the workflows that need it."""
        from ipaas.registry import load_registry

        folder = self.settings.plugins_folder
        if self.settings.plugins is not None and not folder.is_dir():
            raise InputError(f"there is no plugins folder `{folder}`", hint="name another one with `--plugins`")
        # The folder that the `files` connector may touch is a setting of ours with a default; the others are its own.
        config = {**os.environ, "IPAAS_FILES_ROOT": str(self.settings.files_folder)}
        return load_registry(local=[folder] if folder.is_dir() else [], config_env=config)

    @cached_property
    def options(self) -> CompileOptions:
        """What files are compiled with."""
        from ipaas.definition import CompileOptions

        settings = self.settings
        return CompileOptions(timezone=settings.timezone, env_names=frozenset(settings.env_names), vars=settings.vars)

    def read_env(self) -> dict[str, str]:
        """Return the environment variables that expressions may read; one that is not set is not there."""
        return {name: os.environ[name] for name in self.settings.env_names if name in os.environ}

    def load(self, paths: Sequence[Path] = ()) -> Loaded:
        """Read and check the pipelines folder, or the files and folders given.

        Of files, the workflows that they name are looked for in the whole folder, whose other problems are not told.

        Raises:
            InputError: a path is not there.
        """
        from ipaas.definition import load_files, load_folder

        places = list(paths) or [self.settings.pipelines]
        if len(places) == 1 and not places[0].is_file():
            return load_folder(places[0], self.registry.catalog, self.options, cache=self._cache)
        files = _list_files(places)
        loaded = load_files(files, self.registry.catalog, self.options, cache=self._cache)
        if all(problem.code != "unknown-workflow" for problem in loaded.problems):
            return loaded
        own = {file.resolve() for file in files}
        others = [file for folder in self._list_roots(files) for file in _list_files([folder])]
        beside = [file for file in others if file.resolve() not in own]
        whole = load_files([*files, *beside], self.registry.catalog, self.options, cache=self._cache)
        return whole.narrow(loaded.files)

    def _list_roots(self, files: Sequence[Path]) -> list[Path]:
        """Return the folders whose workflows files may name: the pipelines folder for those in it, else their own."""
        root = self.settings.pipelines
        inside = root.resolve()
        return list(dict.fromkeys(root if file.resolve().is_relative_to(inside) else file.parent for file in files))

    def load_workflows(self) -> tuple[Workflow, ...]:
        """Return the pipelines folder's workflows.

        Raises:
            ProblemsFound: any file is wrong.
        """
        loaded = self.load()
        if loaded.problems:
            raise ProblemsFound(loaded.problems)
        self._compiled = {}  # a server that watches its folder keeps the newest texts only
        self._remember(loaded.workflows)
        return loaded.workflows

    def load_file(self, path: Path) -> Workflow:
        """Return the workflow of one file, not looking at the workflows that it names.

        Raises:
            ProblemsFound: the file is wrong.
            InputError: it cannot be read.
        """
        from ipaas.definition import compile_text

        try:
            text = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read `{path}`: {(error.strerror or str(error)).lower()}") from error
        compiled = compile_text(text, str(path), self.registry.catalog, self.options)
        if compiled.workflow is None or compiled.problems:
            raise ProblemsFound(compiled.problems)
        self._remember([compiled.workflow])
        return compiled.workflow

    def load_with_calls(self, path: Path) -> tuple[Workflow, dict[str, Workflow]]:
        """Return the workflow of a file, and by id all workflows that it starts, and they, from its folder.

        The folder is the pipelines folder when the file is in it, else the file's own. Other files of it may be wrong.

        Raises:
            ProblemsFound: the file is wrong, or one that it needs.
            InputError: it cannot be read.
        """
        workflow = self.load_file(path)
        if not workflow.calls:
            return workflow, {}
        loaded = self.load(self._list_roots([path]))
        known = {each.id: each for each in loaded.workflows}
        found: dict[str, Workflow] = {}
        wanted = set(workflow.calls)
        while wanted:
            name = wanted.pop()
            if name in known and name not in found:
                found[name] = known[name]
                wanted |= known[name].calls - found.keys()
        own = {path.resolve(), *(Path(each.path).resolve() for each in found.values())}
        missing = {*workflow.calls, *(name for each in found.values() for name in each.calls)} - found.keys()
        problems = [
            problem
            for problem in loaded.problems
            if Path(problem.place.file).resolve() in own or (missing and Path(problem.place.file).stem in missing)
        ]
        if problems:
            raise ProblemsFound(problems)
        return workflow, {name: each for name, each in found.items() if name != workflow.id}

    def compile_version(self, version: Version) -> Workflow:
        """Return a stored text as a workflow, from memory when this process has compiled it before.

        Raises:
            ProblemsFound: it no longer passes the checks, for example because a connector is gone.
        """
        from ipaas.definition import compile_text

        known = self._compiled.get((version.version, version.path))
        if known is not None:
            return known
        compiled = compile_text(version.source, version.path, self.registry.catalog, self.options)
        if compiled.workflow is None or compiled.problems:
            raise ProblemsFound(compiled.problems)
        self._remember([compiled.workflow])
        return compiled.workflow

    def _remember(self, workflows: Sequence[Workflow]) -> None:
        # A new dictionary: a load may go on in another thread.
        self._compiled = self._compiled | {(workflow.version, workflow.path): workflow for workflow in workflows}


def at_path(settings: Settings, path: Path) -> Settings:
    """Return settings whose folders are those of the project that a file or folder belongs to.

    Inside the pipelines folder nothing changes. Elsewhere the pipelines folder is the nearest folder above that is called
    `pipelines`, with `plugins` beside it; else the file's own folder, with `plugins` in it, if it has such a folder.
    """
    folder = path if path.is_dir() else path.parent
    above = folder.resolve()
    if above.is_relative_to(settings.pipelines.resolve()):
        return settings
    for candidate in (above, *above.parents):
        if candidate.name == "pipelines":
            return settings.model_copy(update={"pipelines": candidate})
    own = folder / "plugins"
    plugins = own if settings.plugins is None and own.is_dir() else settings.plugins_folder
    return settings.model_copy(
        update={"pipelines": folder, "plugins": plugins if plugins.is_dir() else settings.plugins}
    )


def _list_files(paths: Sequence[Path]) -> list[Path]:
    from ipaas.definition.folder import list_pipeline_files

    return [file for path in paths for file in (list_pipeline_files(path) if path.is_dir() else [path])]
