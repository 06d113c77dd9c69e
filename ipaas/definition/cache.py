"""What earlier checks of the same texts found, kept on disk.

Owns the file format. A cache is only ever a faster way to the same answer: an entry is used when everything that went into it is the same
(the program, the frame, the options, the text, the actions that it uses and the workflows that it starts), anything unreadable
is taken for absent, and failing to write is no error. Plain JSON behind a checksum, replaced in one step: readers see a whole file
or the one before, whoever else writes. Called by `folder`.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ipaas
from ipaas.definition.derived_types import describe_literal
from ipaas.definition.draft import Signature
from ipaas.definition.frame import read_frame
from ipaas.model import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipaas.definition.draft import CompileOptions
    from ipaas.model import ActionSpec, Catalog

FORMAT: Final = 2
"""Rises with every change to what an entry holds or means."""

MAX_ENTRIES: Final = 20_000
"""Entries of files that are gone stay until there are this many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of one file.

    Attributes:
        text: hash of its content.
        signature: as others see it, or None.
        id_place: where its id stands.
        actions: the actions that it uses, and `actions_digest` of what they promise.
        starts: ids of the workflows that it names, with the places of those that it calls.
        others_digest: of what was known of those when it was checked.
        problems: that it had, cross-file ones excluded.
    """

    text: str
    signature: Signature | None
    id_place: Place
    actions: tuple[str, ...] = ()
    actions_digest: str = ""
    starts: tuple[str, ...] = ()
    calls: tuple[tuple[str, Place], ...] = ()
    others_digest: str = ""
    problems: tuple[Problem, ...] = field(default=())


def read_cache(folder: Path, name: str, domain: str) -> dict[str, Entry]:
    """Return the entries by path; none when there is no cache of this domain that can be read."""
    try:
        data = (folder / name).read_bytes()
        checksum, _, body = data.partition(b"\n")
        if checksum.decode() != hashlib.sha256(body).hexdigest():
            return {}
        content = json.loads(body)
        if content["domain"] != domain:
            return {}
        return {path: _read_entry(value) for path, value in content["entries"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def write_cache(folder: Path, name: str, domain: str, entries: Mapping[str, Entry]) -> None:
    """Replace the cache; what goes wrong costs time at the next check and nothing else."""
    kept = dict(list(entries.items())[-MAX_ENTRIES:])
    body = json.dumps(
        {"domain": domain, "entries": {path: _write_entry(entry) for path, entry in kept.items()}}
    ).encode()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f"{name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            Path(temporary).replace(folder / name)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise


def name_cache(folder: Path) -> str:
    """Return the file name of a pipeline folder's cache."""
    return f"definitions-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]}.json"


def make_domain(catalog: Catalog, options: CompileOptions) -> str:
    """Return a digest of everything that all files depend on; of the catalog only the names, which hints are made of."""
    parts = [
        FORMAT,
        ipaas.__version__,
        read_frame(),
        options.timezone,
        sorted(options.env_names),
        describe_literal(dict(options.vars)),
        sorted(catalog),
    ]
    return _digest(parts)


def digest_actions(catalog: Catalog, names: Iterable[str]) -> str:
    """Return a digest of what these actions promise; one that is gone counts as such."""
    return _digest([(name, _describe(catalog.get(name))) for name in sorted(names)])


def digest_others(signatures: Mapping[str, Signature], ids: Iterable[str]) -> str:
    """Return a digest of what is known of these workflows; when one is unknown, of all ids, which the hint is made of."""
    wanted = sorted(ids)
    known: list[Any] = [(each, asdict(signatures[each]) if each in signatures else None) for each in wanted]
    if any(each not in signatures for each in wanted):
        known.append(sorted(signatures))
    return _digest(known)


def _describe(spec: ActionSpec | None) -> Any:
    return spec and [spec.effect, spec.input_schema, spec.output_schema, spec.takes_credential]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, default=dict, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _write_entry(entry: Entry) -> list[Any]:
    """A list, not an object: the names of the fields would be most of the file."""
    signature = entry.signature
    return [
        entry.text,
        signature and [signature.id, signature.inputs, signature.outputs],
        _write_place(entry.id_place),
        entry.actions,
        entry.actions_digest,
        entry.starts,
        [[name, _write_place(place)] for name, place in entry.calls],
        entry.others_digest,
        [[_write_place(each.place), each.message, each.code, each.hint] for each in entry.problems],
    ]


def _read_entry(value: list[Any]) -> Entry:
    text, signature, id_place, actions, actions_digest, starts, calls, others_digest, problems = value
    return Entry(
        text=text,
        signature=signature and Signature(id=signature[0], inputs=signature[1], outputs=signature[2]),
        id_place=Place(*id_place),
        actions=tuple(actions),
        actions_digest=actions_digest,
        starts=tuple(starts),
        calls=tuple((name, Place(*place)) for name, place in calls),
        others_digest=others_digest,
        problems=tuple(Problem(Place(*place), message, code, hint) for place, message, code, hint in problems),
    )


def _write_place(place: Place) -> list[Any]:
    return [place.file, place.line, place.column]
