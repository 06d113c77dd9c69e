"""YAML events to a tree of nodes, with everything refused that the language does not take from YAML.

Owns `Composer`: the limits on depth and number, duplicate and merge keys, tags, aliases that recurse or multiply, a second document.
libyaml's events do not recurse, the composer has a stack of its own, and stops at the first limit: hostile text costs milliseconds.
Called by `source`, which has seen to the encoding; knows nothing of what the keys mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.nodes import Mapping, Node, Scalar, Sequence, resolve_plain, shorten
from ipaas.definition.yaml_errors import explain_yaml_error
from ipaas.model import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH: Final = 64
MAX_NODES: Final = 10_000
"""Keys, values and expressions, after aliases are expanded; each costs at most a tenth of a millisecond."""

MAX_PROBLEMS: Final = 100
"""Of one file; the person mends the first ones first, and a hostile file cannot ask for a million messages."""

_NOTHING_MORE = re.compile(r"(?:(?:\.\.\.)?[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n|\Z))*+")


def locate(path: str, before: str) -> Place:
    """Return the place behind a piece of text that begins the file."""
    lines = before.splitlines() if not before.endswith(("\n", "\r")) else [*before.splitlines(), ""]
    return Place(path, max(1, len(lines)), len(lines[-1]) + 1 if lines else 1)


class _Stop(Exception):
    """A limit was hit: nothing more of this text is looked at."""


@dataclass(slots=True)
class _Open:
    """A container whose end has not come yet; `height` is that of its highest child so far."""

    node: Sequence | Mapping
    anchor: str | None
    count_before: int
    key: Scalar | None = None
    duplicate: bool = False
    height: int = 0


@dataclass(slots=True)
class _Anchored:
    node: Node
    size: int
    height: int


class Composer:
    """Builds the tree from events with a stack of its own. Used for one text, then thrown away."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._count = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._root: Node | None = None
        self.problems: list[Problem] = []

    def compose(self) -> Node | None:
        """Return the root, or None; `problems` then says why."""
        import yaml

        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._take_scalar,
            yaml.MappingStartEvent: self._open_mapping,
            yaml.SequenceStartEvent: self._open_sequence,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._take_alias,
        }
        # Each event taken straight from the parser: `yaml.parse` asks three times for each.
        loader: Any = yaml.CSafeLoader(self._text)
        try:
            for event in iter(loader.get_event, None):
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
                elif type(event) is yaml.DocumentEndEvent:
                    self._end_document(event)
                    break
        except yaml.MarkedYAMLError as error:
            told = explain_yaml_error(error, re.split(r"\r\n|\r|\n", self._text))
            self.problems.append(
                Problem(Place(self._path, told.line, told.column), told.message, "yaml-syntax", told.hint)
            )
            return None
        except _Stop:
            return None
        finally:
            loader.dispose()
        root = self._root
        if root is None or (isinstance(root, Scalar) and not root.text and not root.style):
            self.problems.append(
                Problem(Place(self._path), "the file is empty", "empty-file", "begin with `version: 1`")
            )
            return None
        return root

    def _refuse(self, place: Place, message: str, code: str, hint: str = "") -> None:
        self.problems.append(Problem(place, message, code, hint))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Stop

    def _place(self, event: Any) -> Place:
        return Place(self._path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _take_scalar(self, event: Any) -> None:
        mark = event.start_mark
        text: str = event.value
        style: str = event.style or ""
        if event.tag is not None:
            self._refuse_tag(event)
        if "\0" in text:
            self._refuse(
                self._place(event), "the text holds a NUL character", "bad-encoding", "remove the escape `\\0`"
            )
        node = Scalar(
            value=text,
            text=text,
            style=style,
            line=mark.line + 1,
            column=mark.column + 1,
            start=mark.index,
            end=event.end_mark.index,
        )
        top = self._stack[-1] if self._stack else None
        if style == "" and (top is None or top.key is not None or isinstance(top.node, Sequence)):
            try:
                node.value = resolve_plain(text)
            except ValueError as error:
                self._refuse(self._place(event), str(error), "not-json", "put it in quotes if it is meant as text")
        size = 1 + text.count("${{")
        self._add(event, node, size, 0)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(node, size, 0)

    def _open_mapping(self, event: Any) -> None:
        self._open(event, Mapping(line=event.start_mark.line + 1, column=event.start_mark.column + 1))

    def _open_sequence(self, event: Any) -> None:
        self._open(event, Sequence(line=event.start_mark.line + 1, column=event.start_mark.column + 1))

    def _open(self, event: Any, node: Sequence | Mapping) -> None:
        if event.tag is not None:
            self._refuse_tag(event)
        if self._is_key_next():
            self._refuse_key(event)
        if len(self._stack) >= MAX_DEPTH:
            self._refuse_depth(event)
        self._stack.append(_Open(node, event.anchor, self._count))
        self._grow(event, 1)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)

    def _close(self, event: Any) -> None:
        closed = self._stack.pop()
        height = closed.height + 1
        if closed.anchor is not None:
            self._anchors[closed.anchor] = _Anchored(closed.node, self._count - closed.count_before, height)
        self._add(event, closed.node, 0, height)

    def _take_alias(self, event: Any) -> None:
        found = self._anchors.get(event.anchor)
        name = shorten(event.anchor)
        if any(each.anchor == event.anchor for each in self._stack) and found is None:
            self._refuse(
                self._place(event),
                f"the alias `*{name}` is part of what it stands for",
                "recursive-alias",
                "write the value out",
            )
            self._add(event, self._null(event), 1, 0)
            return
        if self._is_key_next():
            self._refuse_key(event)
        if found is None:
            self._refuse(
                self._place(event),
                f"no anchor `&{name}` comes before the alias `*{name}`",
                "unknown-alias",
                "put a value that begins with `*` in quotes",
            )
            self._add(event, self._null(event), 1, 0)
            return
        if len(self._stack) + found.height > MAX_DEPTH:
            self._refuse_depth(event)
        self._add(event, found.node, found.size, found.height)

    def _null(self, event: Any) -> Scalar:
        """A stand-in, so that checking goes on behind a refused value."""
        start, end = event.start_mark, event.end_mark
        return Scalar(
            value=None,
            text="",
            style="",
            line=start.line + 1,
            column=start.column + 1,
            start=start.index,
            end=end.index,
        )

    def _is_key_next(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, Mapping) and self._stack[-1].key is None

    def _grow(self, event: Any, size: int) -> None:
        self._count += size
        if self._count > MAX_NODES:
            hint = "split the file; keys and expressions count too, and what an alias stands for counts each time"
            self._refuse(self._place(event), f"the file has more than {MAX_NODES} values", "too-many-values", hint)
            raise _Stop

    def _add(self, event: Any, node: Node, size: int, height: int) -> None:
        """Put a finished node where it belongs."""
        self._grow(event, size)
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        top.height = max(top.height, height)
        if isinstance(top.node, Sequence):
            top.node.items.append(node)
            top.node.value.append(node.value)
        elif top.key is None:
            assert isinstance(node, Scalar)
            top.key = node
            top.duplicate = self._check_key(event, node, top.node)
        else:
            if not top.duplicate:
                top.node.items[top.key.text] = node
                top.node.keys[top.key.text] = top.key
                top.node.value[top.key.text] = node.value
            top.key = None

    def _check_key(self, event: Any, key: Scalar, mapping: Mapping) -> bool:
        """Whether the pair is to be left out: its key is refused."""
        if key.text == "<<" and key.style == "":
            self._refuse(self._place(event), "merge keys `<<` are not allowed", "merge-key", "write the keys out")
            return True
        first = mapping.keys.get(key.text)
        if first is not None:
            hint = "remove one of them"
            self._refuse(
                self._place(event),
                f"the key `{shorten(key.text)}` stands in line {first.line} already",
                "duplicate-key",
                hint,
            )
            return True
        return False

    def _refuse_tag(self, event: Any) -> None:
        hint = "remove it; put a text that begins with `!` in quotes"
        self._refuse(self._place(event), f"the tag `{shorten(event.tag)}` is not allowed", "yaml-tag", hint)

    def _refuse_key(self, event: Any) -> None:
        """A list or an object as a key; what follows makes no sense, and `{{ x }}` is what people mean by it."""
        if self._text.startswith("{{", event.start_mark.index - 1):
            hint = 'write expressions as `"${{ … }}"`, in quotes'
            place = Place(self._path, event.start_mark.line + 1, max(1, event.start_mark.column))
            self._refuse(place, "`{{` without quotes opens an object, not an expression", "bad-key", hint)
        else:
            self._refuse(self._place(event), "a key must be text", "bad-key", "put it in quotes if it is meant as text")
        raise _Stop

    def _refuse_depth(self, event: Any) -> None:
        self._refuse(
            self._place(event),
            f"values are nested more than {MAX_DEPTH} deep",
            "too-deep",
            "move inner parts to a workflow of their own",
        )
        raise _Stop

    def _end_document(self, event: Any) -> None:
        """Look at the rest with a regular expression: libyaml would read directives there in quadratic time."""
        index = event.end_mark.index
        rest = _NOTHING_MORE.match(self._text, index)
        end = rest.end() if rest else index
        if end < len(self._text):
            place = locate(self._path, self._text[:end])
            self._refuse(place, "a second document begins here", "many-documents", "put it in a file of its own")
