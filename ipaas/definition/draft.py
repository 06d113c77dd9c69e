"""A workflow in the making: its source, what it may use, and what was found wrong so far.

Owns `Draft`, the typed reading of keys, and `CompileOptions`. Readers return None for what the frame has refused already, so that the
compiler goes on past every mistake and tells each one once. Made by `compiler`, handed to everything that compiles a part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ipaas.definition.durations import format_duration, parse_duration
from ipaas.definition.nearest import hint_nearest
from ipaas.definition.nodes import Mapping, Node, Scalar, Sequence
from ipaas.errors import InputError
from ipaas.model import JsonObject, Place, Problem, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Mapping as AbstractMapping

    from ipaas.definition.findings import Path
    from ipaas.definition.source import Source
    from ipaas.model import Catalog


MAX_PROBLEMS: Final = 100
"""Shown of one file; whoever has more mends these first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOptions:
    """What a compilation takes from the settings.

    Attributes:
        timezone: IANA name for triggers that name none.
        env_names: environment variables that expressions may read.
        vars: the values behind `vars`, which types them.
    """

    timezone: str = "UTC"
    env_names: frozenset[str] = frozenset()
    vars: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What other workflows see of one: its id, the schema of its inputs as one object, and of its outputs.

    Without the latter two it is a workflow whose file has mistakes: it is there, and that is all that may be said of it elsewhere.
    """

    id: str
    inputs: Schema = field(default_factory=lambda: {"type": "object", "additionalProperties": True})
    outputs: Schema = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Draft:
    """The state of one compilation; thrown away after.

    Attributes:
        signatures: of the other workflows; None when they are not known and not checked.
        actions: names of the actions that steps use, as far as they exist.
        calls: ids of the workflows that steps start.
    """

    source: Source
    catalog: Catalog
    options: CompileOptions
    signatures: AbstractMapping[str, Signature] | None
    problems: list[Problem] = field(default_factory=list)
    actions: set[str] = field(default_factory=set)
    calls: dict[str, Place] = field(default_factory=dict)

    def report(self, where: Node | Place, code: str, message: str, hint: str = "") -> None:
        """Note a problem."""
        place = where if isinstance(where, Place) else self.source.place(where)
        self.problems.append(Problem(place, message, code, hint))

    def hint(self, name: str, names: Iterable[str]) -> str:
        """Return the hint for an unknown name; none when there are more problems already than are shown."""
        return hint_nearest(name, names) if len(self.problems) < MAX_PROBLEMS else ""

    def place(self, node: Node) -> Place:
        """Return where a node begins."""
        return self.source.place(node)

    def place_path(self, node: Node, path: Path) -> Place:
        """Return where the value at a path below a node begins, as near as there is one."""
        for part in path:
            if isinstance(node, Mapping) and part in node.items:
                node = node.items[str(part)]
            elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            else:
                break
        return self.source.place(node)

    def read_duration(self, mapping: Mapping, key: str, *, least_s: float = 0.0) -> float | None:
        """Return the seconds of a duration, or None when the key is absent or wrong."""
        node = find_scalar(mapping, key)
        if node is None or not isinstance(node.value, str):
            return None
        try:
            seconds = parse_duration(node.value)
        except InputError as error:
            self.report(node, "bad-duration", error.message, error.hint)
            return None
        if seconds < least_s:
            self.report(
                node,
                "bad-duration",
                f"`{key}` is shorter than {format_duration(least_s)}",
                f"write at least `{format_duration(least_s)}`",
            )
            return None
        return seconds

    def placer(self, node: Scalar) -> Callable[[int], Place]:
        """Return where each character of a scalar's text stands."""
        return self.source.placer(node)


def find_scalar(mapping: Mapping, key: str) -> Scalar | None:
    """Return the scalar under a key, or None when there is none."""
    node = mapping.items.get(key)
    return node if isinstance(node, Scalar) else None


def find_mapping(mapping: Mapping, key: str) -> Mapping | None:
    """Return the object under a key, or None when there is none."""
    node = mapping.items.get(key)
    return node if isinstance(node, Mapping) else None


def find_sequence(mapping: Mapping, key: str) -> Sequence | None:
    """Return the list under a key, or None when there is none."""
    node = mapping.items.get(key)
    return node if isinstance(node, Sequence) else None


def find_text(mapping: Mapping, key: str) -> str | None:
    """Return the text under a key, or None when there is none or it is no text."""
    node = find_scalar(mapping, key)
    return node.value if node is not None and isinstance(node.value, str) else None


def find_integer(mapping: Mapping, key: str) -> int | None:
    """Return the whole number under a key, or None."""
    node = find_scalar(mapping, key)
    if node is None or isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
        return None
    return int(node.value) if node.value == int(node.value) else None


def is_true(mapping: Mapping, key: str, *, default: bool) -> bool:
    """Return the boolean under a key, or the default."""
    node = find_scalar(mapping, key)
    return node.value if node is not None and isinstance(node.value, bool) else default


def list_texts(mapping: Mapping, key: str) -> list[Scalar]:
    """Return the texts under a key: of a list, or the one that stands there alone."""
    node = mapping.items.get(key)
    items = node.items if isinstance(node, Sequence) else [node]
    return [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]
