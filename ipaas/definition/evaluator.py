"""A tree becomes a function that computes its value.

Owns the translation of nodes into closures, one for each node: names, fields, positions, conditions, calls. Operators are in
`operators`, macros in `macros`. A closure takes the `Budget` of one evaluation, which carries the names. Pure, bounded in cost, and
without access to anything but the names it is given. The tree was judged by `checker` before; here only values decide. Called by `expressions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ipaas.definition.fields import get_step, select_optional, select_slowly
from ipaas.definition.functions import KEYED, NAMESPACES, get_functions
from ipaas.definition.macros import MACRO_MAKERS, make_keyed
from ipaas.definition.operators import OPERATORS, make_index
from ipaas.definition.syntax import Call, Let, ListOf, Literal, MapOf, Name, Select, show_path
from ipaas.definition.values import TYPE_NAMES, Budget, Failure, Optional, describe, kind_of, name_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipaas.definition.functions import Function
    from ipaas.definition.syntax import Node
    from ipaas.definition.values import Value

Run: TypeAlias = "Callable[[Budget], Value]"


CALL: Final = 5
"""What a call costs besides the length of what it is given."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes closures for the nodes of one expression.

    Attributes:
        bound: names that stand for values here; others may be types or namespaces.
        whole_divisions: offsets of the `/` whose both sides are known to be whole numbers, so that they cut off the fraction.
    """

    bound: frozenset[str]
    whole_divisions: frozenset[int]

    def with_name(self, name: str) -> Maker:
        """Return a maker for the inside of a loop."""
        return Maker(self.bound | {name}, self.whole_divisions)

    def make(self, node: Node) -> Run:
        """Return the closure of a node."""
        match node:
            case Literal():
                value = node.value
                return lambda _budget: value
            case Name():
                return self._make_name(node)
            case Select():
                return self._make_select(node)
            case Call():
                return self._make_call(node)
            case ListOf():
                return self._make_list(node)
            case MapOf():
                return self._make_map(node)
            case Let():
                return self._make_let(node)

    def _make_name(self, node: Name) -> Run:
        name, at = node.name, node.at
        if name not in self.bound and name in TYPE_NAMES:
            constant = TYPE_NAMES[name]
            return lambda _budget: constant

        def read(budget: Budget) -> Value:
            try:
                return budget.names[name]
            except KeyError:
                raise Failure(
                    f"there is no `{name}` here",
                    "look at the names that the problem list of `ipaas validate` gives",
                    at,
                ) from None

        return read

    def _make_select(self, node: Select) -> Run:
        field, at = node.field, node.at
        if isinstance(node.operand, Name) and node.operand.name == "steps" and not node.is_optional:
            return lambda budget: get_step(budget.names["steps"], field)
        operand, what, is_optional = self.make(node.operand), show_path(node.operand), node.is_optional
        if is_optional:
            return lambda budget: select_optional(operand(budget), field, at, what)

        def select(budget: Budget) -> Value:
            value = operand(budget)
            if value.__class__ is dict:
                try:
                    return value[field]
                except KeyError:
                    pass
            return select_slowly(value, field, at, what)

        return select

    def _make_list(self, node: ListOf) -> Run:
        items = tuple((self.make(item), index in node.optional) for index, item in enumerate(node.items))
        if not node.optional:
            runs = tuple(run for run, _ in items)
            return lambda budget: [run(budget) for run in runs]

        def make(budget: Budget) -> Value:
            made = []
            for run, is_optional in items:
                value = run(budget)
                if not is_optional:
                    made.append(value)
                elif _check_optional(value, node.at).is_there:
                    made.append(value.value)
            return made

        return make

    def _make_map(self, node: MapOf) -> Run:
        entries = tuple((self.make(e.key), self.make(e.value), e.is_optional, e.key.at) for e in node.entries)

        def make(budget: Budget) -> Value:
            made = {}
            for key_run, value_run, is_optional, at in entries:
                key = key_run(budget)
                if not isinstance(key, str):
                    raise Failure(f"a key must be a text, not {describe(key)}", "make it a text: `string(x)`", at)
                value = value_run(budget)
                if not is_optional:
                    made[key] = value
                elif _check_optional(value, at).is_there:
                    made[key] = value.value
            return made

        return make

    def _make_let(self, node: Let) -> Run:
        name, value_run, body = node.name, self.make(node.value), self.with_name(node.name).make(node.body)

        def run(budget: Budget) -> Value:
            value = value_run(budget)
            names = budget.names
            was_there, hidden = name in names, names.get(name)
            names[name] = value
            try:
                return body(budget)
            finally:
                if was_there:
                    names[name] = hidden
                else:
                    del names[name]

        return run

    def _make_call(self, node: Call) -> Run:
        operator = OPERATORS.get(node.function)
        if operator is not None:
            return operator(self, node)
        if node.function in ("_[_]", "_[?_]"):
            return make_index(self, node)
        if node.function in MACRO_MAKERS:
            return MACRO_MAKERS[node.function](self, node)
        if is_keyed(node):
            return make_keyed(self, node)
        if node.target is not None and node.function in ("orValue", "or"):
            return self._make_or(node)
        name, arguments = resolve_call(node, self.bound)
        ways = tuple(way for way in get_functions().get(name, ()) if way.fits(len(arguments)))
        return _make_dispatch(name, ways, tuple(self.make(each) for each in arguments), node.at)

    def _make_or(self, node: Call) -> Run:
        assert node.target is not None
        first, second, at = self.make(node.target), self.make(node.arguments[0]), node.at
        unwraps = node.function == "orValue"

        def choose(budget: Budget) -> Value:
            optional = _check_optional(first(budget), at)
            if optional.is_there:
                return optional.value if unwraps else optional
            return second(budget)

        return choose


def resolve_call(node: Call, bound: frozenset[str]) -> tuple[str, tuple[Node, ...]]:
    """Return a call's full name and its arguments, the receiver first: `math.abs(x)` has one, `x.trim()` too."""
    if node.target is None:
        return node.function, node.arguments
    if isinstance(node.target, Name) and node.target.name in NAMESPACES and node.target.name not in bound:
        return f"{node.target.name}.{node.function}", node.arguments
    return node.function, (node.target, *node.arguments)


def is_keyed(node: Call) -> bool:
    """Whether it is a `sort_by(list, x, key)` or `list.sort_by(x, key)`."""
    return node.function in KEYED and len(node.arguments) == (3 if node.target is None else 2)


def _check_optional(value: Value, at: int) -> Optional:
    if isinstance(value, Optional):
        return value
    raise Failure(
        f"an optional value is needed here, not {describe(value)}",
        "write `.?` before the field that may be missing",
        at,
    )


def _make_dispatch(name: str, ways: tuple[Function, ...], runs: tuple[Run, ...], at: int) -> Run:
    """Return a call that chooses among the ways by the kinds of the values."""

    def call(budget: Budget) -> Value:
        values = [run(budget) for run in runs]
        kinds = [kind_of(value) for value in values]
        budget.left -= CALL
        for value in values:
            if value.__class__ is list or value.__class__ is dict:
                budget.left -= len(value)
            elif value.__class__ is str:
                budget.left -= len(value) >> 2
        try:
            if budget.left < 0:
                budget.spend(0)
            for way in ways:
                if all(kind in way.get_kinds(position) for position, kind in enumerate(kinds)):
                    return way.run(budget, *values)
        except Failure as failure:
            if failure.at is None:
                failure.at = at
            raise
        raise explain_kinds(name, ways, kinds, at)

    return call


def explain_kinds(name: str, ways: tuple[Function, ...], kinds: Sequence[str], at: int | None) -> Failure:
    """Return the failure that no way to call a function takes such values."""
    for position, kind in enumerate(kinds):
        allowed = frozenset[str]().union(*(way.get_kinds(position) for way in ways))
        if kind not in allowed:
            wanted = " or ".join(name_kind(each) for each in sorted(allowed))
            return Failure(
                f"`{name}` cannot take {name_kind(kind)}", hint_conversion(kind, allowed) or f"give it {wanted}", at
            )
    return Failure(f"`{name}` cannot take {' and '.join(name_kind(kind) for kind in kinds)} together", "", at)


def hint_conversion(kind: str, allowed: frozenset[str]) -> str:
    """Return how to make a value of one kind fit where others are allowed, or empty."""
    if kind == "optional":
        return "write `.orValue(…)` behind it"
    if kind == "null":
        return "say what null means: `x == null ? other : x`"
    if "string" in allowed:
        return "make it a text with `to_json(x)`" if kind in ("list", "map") else "make it a text with `string(x)`"
    if "number" in allowed and kind == "string":
        return "make it a number with `int(x)` or `double(x)`"
    if "timestamp" in allowed and kind in ("string", "number"):
        return "make it a timestamp with `timestamp(x)`"
    return ""
