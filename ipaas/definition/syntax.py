"""Expression text to a tree of nodes with places.

Owns the node classes and `parse_expression`. The grammar is Google's own CEL parser (`cel-expr-python`), with its macros switched off, so
that `map`, `has` and the others arrive as the calls that a person wrote. Knows nothing of names, types or values: `checker` judges the tree,
`evaluator` makes it run. Only the library's parser is used; docs/decisions says why its evaluator is not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ipaas.definition.syntax_errors import Fault, explain_syntax_error
from ipaas.definition.syntax_wire import get_message_class

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH: Final = 10_000
"""Characters of one expression: far above what people write; the parser takes 1 ms for each 1 000."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: null, boolean, number, text or bytes. `at` is an offset into the text, as everywhere here."""

    at: int
    value: bool | int | float | str | bytes | None


@dataclass(frozen=True, slots=True)
class Name:
    """A root, a loop variable, or the name of a type."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `operand.?field`; `at` is that of the field."""

    at: int
    operand: Node
    field: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function, method, macro or operator (`_+_`, `_[_]`, `_?_:_`, `@in`, …); `at` is that of its name or sign."""

    at: int
    function: str
    target: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, ?b]`; `optional` has the positions that are left out when they hold nothing."""

    at: int
    items: tuple[Node, ...]
    optional: frozenset[int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` or `?key: value` of an object."""

    key: Node
    value: Node
    is_optional: bool


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{key: value}`."""

    at: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Let:
    """`body` with `name` standing for `value`; what `optMap` and `optFlatMap` become."""

    at: int
    name: str
    value: Node
    body: Node


Node: TypeAlias = "Literal | Name | Select | Call | ListOf | MapOf | Let"


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Node | Fault:
    """Return the tree of one expression, or why there is none."""
    if not text.strip():
        return Fault(0, "the expression is empty", "write a value, such as `inputs.name`")
    if len(text) > MAX_LENGTH:
        return Fault(
            0, f"the expression has more than {MAX_LENGTH} characters", "split it over several steps with `flow.set`"
        )
    refused = _UNREADABLE.search(text)
    if refused:
        return Fault(refused.start(), f"the character U+{ord(refused[0]):04X} is not allowed here", "remove it")
    try:
        data = _get_parser().compile(_free_loop(text), disable_check=True).serialize()
    except (RuntimeError, ValueError, LookupError) as error:
        return explain_syntax_error(str(error).replace(_LOOP_STAND_IN, "loop"), text)
    message = get_message_class()()
    message.ParseFromString(data[_skip_wrapper(data) :])
    try:
        return _Reader(text, dict(message.source_info.positions)).read(message.expr)
    except _Refused as refusal:
        return refusal.fault


def list_children(node: Node) -> Iterator[Node]:
    """Yield the nodes right below a node, in the order of the text."""
    match node:
        case Select():
            yield node.operand
        case Call():
            if node.target is not None:
                yield node.target
            yield from node.arguments
        case ListOf():
            yield from node.items
        case MapOf():
            for entry in node.entries:
                yield entry.key
                yield entry.value
        case Let():
            yield node.value
            yield node.body
        case _:
            pass


def count_nodes(node: Node) -> int:
    """Return how many nodes there are: the cost of one evaluation without its loops."""
    return 1 + sum(map(count_nodes, list_children(node)))


def show_path(node: Node) -> str:
    """Return a node as people name it when it is a plain path, else empty: `steps.orders.output`."""
    match node:
        case Name():
            return node.name
        case Select():
            before = show_path(node.operand)
            return f"{before}.{'?' * node.is_optional}{node.field}" if before else ""
        case Call(function="_[_]" | "_[?_]" as sign, arguments=(operand, Literal(value=int() | str() as key))):
            before = show_path(operand)
            return f"{before}{sign[1:-2].rstrip('_')}{json.dumps(key, ensure_ascii=False)}]" if before else ""
        case _:
            return ""


_UNREADABLE: Final = re.compile("[\0\ud800-\udfff]")
"""The library cuts text at NUL and cannot encode half a surrogate pair."""

_LOOP_STAND_IN: Final = "l__p"
_LOOP: Final = re.compile(
    r"""[rRbB]*(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|//[^\n]*|(?<![\w.])(?P<loop>loop)(?!\w)""",
    re.DOTALL,
)

_WORD_BEFORE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*\Z")


class _Refused(Exception):
    """The grammar allows it, the language does not."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _free_loop(text: str) -> str:
    """Return the text with the root `loop` as a name of the same length: CEL reserves the word, our language uses it for `loop.index`."""
    if "loop" not in text:
        return text
    return _LOOP.sub(lambda found: _LOOP_STAND_IN if found["loop"] else found[0], text)


def _read_name(name: str) -> str:
    return "loop" if name == _LOOP_STAND_IN else name


@lru_cache(maxsize=1)
def _get_parser() -> Any:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional

    config = cel.NewEnvConfigFromYaml("stdlib:\n  disable_macros: true\n")
    return cel.NewEnv(config=config, extensions=[ext_optional.ExtOptional()])


def _skip_wrapper(data: bytes) -> int:
    """Return where the tree begins in a serialised `google.protobuf.Any`: behind the type's name and the tree's length.

    The wrapper is `0x0a <length> <type> 0x12 <length> <tree>` with lengths in seven-bit groups.
    """
    start = 2 + data[1] + 1  # the name of the type is shorter than 128 bytes
    while data[start] & 0x80:
        start += 1
    return start + 1


class _Reader:
    """Turns the parser's message into nodes. The parser lets nothing through that is nested more than 32 deep."""

    def __init__(self, text: str, positions: dict[int, int]) -> None:
        self._text = text
        self._positions = positions

    def read(self, message: Any) -> Node:
        kind = message.WhichOneof("kind")
        at = self._positions.get(message.id, 0)
        match kind:
            case "const_expr":
                return Literal(at, self._read_constant(message.const_expr))
            case "ident_expr":
                name = _read_name(message.ident_expr.name)
                if name.startswith("."):
                    raise _Refused(Fault(at, "a name cannot begin with a dot", f"write `{name[1:]}`"))
                return Name(at, name)
            case "select_expr":
                select = message.select_expr
                return Select(self._find_field(at), self.read(select.operand), _read_name(select.field))
            case "call_expr":
                return self._read_call(at, message.call_expr)
            case "list_expr":
                made = message.list_expr
                return ListOf(at, tuple(self.read(each) for each in made.elements), frozenset(made.optional_indices))
            case "struct_expr":
                return self._read_map(at, message.struct_expr)
            case _:
                fold = message.comprehension_expr
                return Let(at, fold.accu_var, self.read(fold.accu_init), self.read(fold.result))

    def _read_constant(self, constant: Any) -> bool | int | float | str | bytes | None:
        kind = constant.WhichOneof("constant_kind")
        value: bool | float | str | bytes = getattr(constant, kind)
        return None if kind == "null_value" else value

    def _read_call(self, at: int, call: Any) -> Node:
        arguments = tuple(self.read(each) for each in call.args)
        target = self.read(call.target) if call.HasField("target") else None
        function = _read_name(call.function)
        if function == "_?._":
            field = arguments[1]
            assert isinstance(field, Literal)
            return Select(self._find_field(at), arguments[0], _read_name(str(field.value)), is_optional=True)
        if function.isidentifier():  # the parser gives the place of the parenthesis
            word = _WORD_BEFORE.search(self._text, 0, at)
            at = word.start() if word else at
        return Call(at, function, target, arguments)

    def _read_map(self, at: int, struct: Any) -> Node:
        if struct.message_name:
            hint = f'write an object as `{{"key": value}}`, without `{struct.message_name}`'
            raise _Refused(Fault(at, f"`{struct.message_name}` is not a type that can be made here", hint))
        entries = struct.entries
        return MapOf(at, tuple(Entry(self.read(e.map_key), self.read(e.value), e.optional_entry) for e in entries))

    def _find_field(self, dot: int) -> int:
        """Return where the field's name begins, behind the dot."""
        match = _FIELD_SIGN.match(self._text, dot)
        return match.end() if match else dot


_FIELD_SIGN: Final = re.compile(r"\.\s*\??\s*")
