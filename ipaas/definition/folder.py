"""A folder of pipeline files, checked as a whole.

Owns which files count, what one workflow knows of the others, and the checks that need more than one file: ids taken twice, targets
that are not there, calls that go round. Called by the command line and by sync. With a cache, texts that were checked before are not
read again; workflows are then compiled when they are asked for, so that a mere check costs next to nothing.
"""

from __future__ import annotations

import gc
import hashlib
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipaas.definition.cache import (
    Entry,
    digest_actions,
    digest_others,
    make_domain,
    name_cache,
    read_cache,
    write_cache,
)
from ipaas.definition.compiler import compile_source, find_signature, find_starts
from ipaas.definition.draft import Signature
from ipaas.definition.frame import is_id
from ipaas.definition.nodes import Mapping as MappingNode
from ipaas.definition.source import MAX_SIZE_BYTES, Source, read_source
from ipaas.errors import InputError
from ipaas.model import Place, Problem, Workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from ipaas.definition.draft import CompileOptions
    from ipaas.model import Catalog

FILES_FOLDER: Final = "files"
"""Below the pipelines folder: what the connector `files` reads and writes, never pipelines."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A folder that was checked.

    Attributes:
        files: the paths that were looked at, in order.
        problems: of all files, sorted; empty means that all is well.
    """

    files: tuple[str, ...]
    problems: tuple[Problem, ...]
    _compile: Callable[[], tuple[Workflow, ...]] = field(repr=False)

    @property
    def workflows(self) -> tuple[Workflow, ...]:
        """The workflows of the files without problems, in the order of the files; compiled at the first use."""
        return self._compile()

    def narrow(self, files: Collection[str]) -> Loaded:
        """Return what concerns these of the files only."""
        return Loaded(
            tuple(file for file in self.files if file in files),
            tuple(problem for problem in self.problems if problem.place.file in files),
            lambda: tuple(workflow for workflow in self.workflows if workflow.path in files),
        )


def load_folder(folder: Path, catalog: Catalog, options: CompileOptions, *, cache: Path | None = None) -> Loaded:
    """Check every pipeline file of a folder and the folders in it.

    Args:
        folder: the pipelines folder; paths in places begin with it as it is given here.
        catalog: every action there is.
        options: from the settings.
        cache: a folder of our own to keep what was found in, or None.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(
            f"there is no folder `{folder}`",
            hint="name the folder with the pipeline files, or make one with `ipaas init`",
        )
    return _load(list_pipeline_files(folder), catalog, options, cache, name_cache(folder))


def load_files(
    paths: Sequence[Path], catalog: Catalog, options: CompileOptions, *, cache: Path | None = None
) -> Loaded:
    """Check these files, and what they say of each other.

    Raises:
        InputError: one of them is not there.
    """
    for path in paths:
        if not path.is_file():
            raise InputError(f"there is no file `{path}`", hint="check the path")
    unique = list(dict.fromkeys(paths))
    return _load(unique, catalog, options, cache, name_cache(Path.cwd()))


def list_pipeline_files(folder: Path) -> list[Path]:
    """Return the pipeline files of a folder in the order of their names; hidden folders, the folder `files` and tests are left out.

    Raises:
        InputError: a folder in it cannot be read: leaving it out in silence would remove its workflows.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_refuse_folder):
        here = Path(parent)
        is_top = here == folder
        folders[:] = [name for name in folders if not name.startswith(".") and not (is_top and name == FILES_FOLDER)]
        found += [here / name for name in names if is_pipeline_file(name)]
    return sorted(found, key=lambda path: path.parts)


def _refuse_folder(error: OSError) -> None:
    raise InputError(f"the folder `{error.filename}` cannot be read: {error.strerror}", hint="check its permissions")


def is_pipeline_file(name: str) -> bool:
    """Whether a file of this name is a pipeline."""
    return (
        name.endswith((".yaml", ".yml")) and not name.endswith((".test.yaml", ".test.yml")) and not name.startswith(".")
    )


@dataclass(slots=True)
class _File:
    """One file on its way; `source` is there only while it is needed."""

    path: str
    data: bytes
    text_hash: str
    problem: Problem | None = None
    source: Source | None = None
    entry: Entry | None = None
    is_checked: bool = False
    workflow: Workflow | None = None


def _load(paths: Sequence[Path], catalog: Catalog, options: CompileOptions, cache: Path | None, name: str) -> Loaded:
    domain = make_domain(catalog, options) if cache is not None else ""
    known = read_cache(cache, name, domain) if cache is not None else {}
    with _collecting_later():
        files = [_read_file(path) for path in paths]
        for file in files:
            _recall(file, known, catalog)
            if file.entry is not None and not file.entry.starts and not file.is_checked:
                _check(
                    file, file.entry, catalog, options, {}
                )  # knows of no other: its tree need not be kept until all are read
        signatures = {
            file.entry.signature.id: file.entry.signature
            for file in reversed(files)
            if file.entry and file.entry.signature
        }
        for file in files:
            if file.entry is None or file.entry.signature is None:
                for each in _guess_ids(file):
                    signatures.setdefault(each, Signature(id=each))
        for file in files:
            if file.entry is not None and (
                not file.is_checked or file.entry.others_digest != _digest(file.entry, signatures)
            ):
                _check(file, file.entry, catalog, options, signatures)
    entries = {file.path: file.entry for file in files if file.entry is not None}
    if cache is not None and any(known.get(path) is not entry for path, entry in entries.items()):
        write_cache(cache, name, domain, {**known, **entries})
    problems = [file.problem for file in files if file.problem is not None]
    problems += [problem for entry in entries.values() for problem in entry.problems]
    problems += [*_check_ids(entries), *_check_calls(entries)]
    compile_rest = _Rest(files, catalog, options, signatures)
    return Loaded(tuple(file.path for file in files), tuple(sorted(dict.fromkeys(problems))), compile_rest)


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Keep the garbage collector from walking over what is being built: trees without cycles, half of the time for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read_file(path: Path) -> _File:
    shown = str(path).encode("utf-8", "backslashreplace").decode()
    if shown != str(path):  # no database and no JSON could keep it
        return _refuse_file(shown, "its name is not UTF-8", "rename it")
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a named pipe would wait for ever
            return _refuse_file(shown, "it is a pipe, a socket or a device", "put a file there, or take it away")
        with path.open("rb") as file:
            data = file.read(MAX_SIZE_BYTES + 1)
    except OSError as error:
        return _refuse_file(shown, str(error.strerror), "check the file's permissions")
    return _File(shown, data, hashlib.sha256(data).hexdigest())


def _refuse_file(shown: str, why: str, hint: str) -> _File:
    return _File(shown, b"", "", Problem(Place(shown), f"the file cannot be read: {why}", "unreadable-file", hint))


def _recall(file: _File, known: Mapping[str, Entry], catalog: Catalog) -> None:
    """Take what an earlier check found, or read the text and begin an entry."""
    if file.problem is not None:
        return
    entry = known.get(file.path)
    if (
        entry is not None
        and entry.text == file.text_hash
        and entry.actions_digest == digest_actions(catalog, entry.actions)
    ):
        file.entry = entry
        file.is_checked = True
        return
    file.source = source = read_source(file.data, file.path)
    node = source.root.items.get("id") if isinstance(source.root, MappingNode) else None
    place = source.place(node) if node is not None else Place(file.path)
    file.entry = Entry(
        text=file.text_hash, signature=find_signature(source), id_place=place, starts=find_starts(source)
    )


def _digest(entry: Entry, signatures: Mapping[str, Signature]) -> str:
    return digest_others(signatures, entry.starts) if entry.starts else ""


_ID = re.compile(rb"^id:[ \t]*[\"']?([a-z][a-z0-9_-]{0,63})\b", re.MULTILINE)


def _guess_ids(file: _File) -> Iterator[str]:
    """Yield what the id of a file with mistakes may be meant to be: it is there, and files that name it are right to."""
    written = _ID.search(file.data)
    if written is not None:
        yield written[1].decode()
    if is_id(Path(file.path).stem):
        yield Path(file.path).stem


def _check(
    file: _File, entry: Entry, catalog: Catalog, options: CompileOptions, signatures: Mapping[str, Signature]
) -> None:
    """Compile the file and complete its entry."""
    source = file.source or read_source(file.data, file.path)
    compiled = compile_source(source, catalog, options, signatures, file.text_hash)
    file.source = None
    file.workflow = compiled.workflow
    file.is_checked = True
    file.entry = replace(
        entry,
        actions=compiled.actions,
        actions_digest=digest_actions(catalog, compiled.actions),
        calls=compiled.calls,
        others_digest=_digest(entry, signatures),
        problems=compiled.problems,
    )


class _Rest:
    """Compiles what was taken from the cache, once somebody wants the workflows."""

    def __init__(
        self, files: list[_File], catalog: Catalog, options: CompileOptions, signatures: Mapping[str, Signature]
    ) -> None:
        self._files = files
        self._catalog = catalog
        self._options = options
        self._signatures = signatures
        self._workflows: tuple[Workflow, ...] | None = None

    def __call__(self) -> tuple[Workflow, ...]:
        if self._workflows is None:
            found = []
            with _collecting_later():
                for file in self._files:
                    if file.entry is None or file.entry.problems:
                        continue
                    if file.workflow is None:
                        _check(file, file.entry, self._catalog, self._options, self._signatures)
                    if file.workflow is not None:
                        found.append(file.workflow)
            self._workflows = tuple(found)
        return self._workflows


def _check_ids(entries: Mapping[str, Entry]) -> Iterable[Problem]:
    first: dict[str, str] = {}
    for path, entry in entries.items():
        if entry.signature is None:
            continue
        taken = first.setdefault(entry.signature.id, path)
        if taken != path:
            message = f"the workflow id `{entry.signature.id}` is that of `{taken}` already"
            yield Problem(entry.id_place, message, "duplicate-id", "give each workflow its own `id:`")


def _check_calls(entries: Mapping[str, Entry]) -> Iterable[Problem]:
    """Find workflows that start each other; each round is told once, where it is left by its first file."""
    calls: dict[str, dict[str, Place]] = {}
    for entry in entries.values():
        if entry.signature is not None:  # of two with the same id the first one counts
            calls.setdefault(entry.signature.id, dict(entry.calls))
    done: set[str] = set()
    for start, first in calls.items():
        trail: list[str] = []
        waiting = [(start, iter(first))]
        while waiting:
            name, targets = waiting[-1]
            if name not in trail:
                trail.append(name)
            target = next((each for each in targets if each in calls), None)
            if target is None:
                done.add(name)
                trail.pop()
                waiting.pop()
            elif target in trail:
                yield _make_cycle(trail[trail.index(target) :], calls)
            elif target not in done:
                waiting.append((target, iter(calls[target])))


def _make_cycle(cycle: list[str], calls: Mapping[str, Mapping[str, Place]]) -> Problem:
    places = [(calls[name][cycle[(index + 1) % len(cycle)]], index) for index, name in enumerate(cycle)]
    place, index = min(places)
    if len(cycle) == 1:
        return Problem(
            place,
            f"the workflow `{cycle[0]}` starts itself without end",
            "workflow-cycle",
            "repeat steps with `while:`",
        )
    turned = cycle[index:] + cycle[:index]
    shown = " → ".join(f"`{name}`" for name in [*turned, turned[0]])
    hint = "repeat steps with `while:`, or start one of them by a trigger"
    return Problem(place, f"these workflows start each other without end: {shown}", "workflow-cycle", hint)
