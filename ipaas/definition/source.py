"""Text to nodes: strict YAML with places.

Owns the reading of a file's bytes: size, encoding and characters are judged here, everything else that needs no knowledge of pipelines
by `composer`. Owns the places of nodes and of characters inside scalars. Called by the compiler; knows nothing of what the keys mean.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from ipaas.definition.composer import Composer, locate
from ipaas.definition.nodes import Mapping, Node, Scalar, Sequence
from ipaas.definition.offsets import find_index
from ipaas.model import Place, Problem

MAX_SIZE_BYTES: Final = 1024 * 1024

_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Source: YAML 1.2.2, section 5.1."""

_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))*+%")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that was read. `root` is None when there is nothing to go on with."""

    path: str
    text: str = field(repr=False)
    root: Node | None = None
    problems: tuple[Problem, ...] = ()

    def place(self, node: Node) -> Place:
        """Return where a node begins."""
        return Place(self.path, node.line, node.column)

    def place_in(self, scalar: Scalar, offset: int) -> Place:
        """Return where the character at `offset` of a scalar's text stands in the file."""
        return ScalarPlaces(self.path, self.text, scalar)(offset)

    def placer(self, scalar: Scalar) -> ScalarPlaces:
        """Return `place_in` for one scalar, as something that may be kept without keeping the whole tree."""
        return ScalarPlaces(self.path, self.text, scalar)

    def find_node(self, path: tuple[str | int, ...]) -> Node | None:
        """Return the node at a path of keys and positions; None when there is none."""
        node: Node | None = self.root
        for part in path:
            if isinstance(node, Mapping) and part in node.items:
                node = node.items[str(part)]
            elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            else:
                return None
        return node


@dataclass(frozen=True, slots=True)
class ScalarPlaces:
    """From an offset in one scalar's text to its place in the file. Compiled expressions keep it for their failures at run time."""

    path: str
    text: str = field(repr=False)
    scalar: Scalar

    def __call__(self, offset: int) -> Place:
        """Return the place of the character at an offset of the scalar's text."""
        index = find_index(self.text, self.scalar, offset)
        begins = _find_lines(self.text)
        line = bisect_right(begins, index)
        lines_below = line - bisect_right(begins, self.scalar.start)
        if not lines_below:
            return Place(self.path, self.scalar.line, self.scalar.column + index - self.scalar.start)
        return Place(self.path, self.scalar.line + lines_below, index - begins[line - 1] + 1)


@lru_cache(maxsize=4)
def _find_lines(text: str) -> array[int]:
    """Return where each line begins, so that thousands of places in one long scalar do not each walk through it."""
    return array("l", [0, *(found.end() for found in re.finditer("\n", text))])


def read_source(data: bytes | str, path: str) -> Source:
    """Read a file's content. `path` is only written into places."""
    decoded = _decode(data, path)
    if isinstance(decoded, Problem):
        return Source(path, "", None, (decoded,))
    composer = Composer(path, decoded)
    root = composer.compose()
    return Source(path, decoded, root, tuple(composer.problems))


def _decode(data: bytes | str, path: str) -> str | Problem:
    size = len(data)
    if size > MAX_SIZE_BYTES:
        return Problem(
            Place(path),
            "the file is larger than 1 MiB",
            "too-large",
            "split it, and join the parts with `run_workflow`",
        )
    if isinstance(data, bytes):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            place = locate(path, data[: error.start].decode("utf-8"))
            return Problem(
                place, f"the byte 0x{data[error.start]:02x} is not UTF-8", "bad-encoding", "save the file as UTF-8"
            )
    else:
        text = data
    if text.startswith("\ufeff"):
        return Problem(
            Place(path), "the file begins with a byte order mark", "bad-encoding", "save the file as UTF-8 without BOM"
        )
    bad = _UNPRINTABLE.search(text)
    if bad:
        place = locate(path, text[: bad.start()])
        return Problem(
            place,
            f"the character U+{ord(bad[0]):04X} is not allowed in YAML",
            "bad-encoding",
            "remove it, or write an escape in double quotes",
        )
    directive = _DIRECTIVE.match(text)
    if directive:
        place = locate(path, text[: directive.end() - 1])
        return Problem(
            place, "`%` begins a directive, and directives are not allowed", "yaml-syntax", "remove the line"
        )
    return text
