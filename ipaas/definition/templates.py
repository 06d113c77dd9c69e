"""Values with expressions in them: the `with:` of a step, the outputs of a workflow.

Owns the walk over a YAML node together with the schema that its value must meet. Literal parts are validated as they stand; of an
expression only what it can give is known, so it is refused when that can never fit. Parameters that ask for an expression
(`x-ipaas-expression`) get a `Deferred`. Called by the compiler.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.derived_types import NAMES, derive, describe_literal, join_items, make_object_schema
from ipaas.definition.json_schema import get_validator
from ipaas.definition.nearest import find_nearest, hint_nearest
from ipaas.definition.nodes import Mapping, Scalar, Sequence, shorten
from ipaas.definition.text_parts import OPENING, is_mixed
from ipaas.definition.type_match import can_match, list_options, name_expected, resolve
from ipaas.definition.types import make_shape
from ipaas.model import Deferred, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ipaas.definition.expressions import ExpressionCompiler
    from ipaas.definition.findings import Finding
    from ipaas.definition.nodes import Node
    from ipaas.definition.source import Source
    from ipaas.model import Json, JsonObject, Place, Schema, Template

    Fill: TypeAlias = Callable[[JsonObject], Json | Deferred]

KEYWORD: Final = "x-ipaas-expression"
"""In a parameter's schema: the extra names that its expression may use."""

MAX_GUESSES: Final = 4
"""A union of more object forms than this is checked at run time only: each guess compiles the expressions again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTemplate:
    """What became of a value.

    Attributes:
        template: None when there are problems.
        schema: JSON Schema of what it evaluates to, as far as it is known; of an expression that the action evaluates, of what it gives.
    """

    template: Template | None
    problems: tuple[Problem, ...]
    schema: Schema


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTemplate:
    """A compiled object. Immutable, usable from any task and thread; lists and objects of literals are new each time."""

    place: Place
    _fills: tuple[tuple[str, Fill], ...] = field(repr=False)

    def evaluate(self, scope: JsonObject) -> dict[str, Json | Deferred]:
        """Return the inputs in this scope. Raises `StepError(type="expression")` with the place."""
        return {name: fill(scope) for name, fill in self._fills}


def compile_template(
    node: Mapping | None,
    source: Source,
    compiler: ExpressionCompiler,
    *,
    place: Place,
    schema: Schema | None = None,
    subject: str = "",
) -> CheckedTemplate:
    """Compile an object whose values may hold expressions, at any depth.

    Args:
        node: the object; None is an empty one.
        source: what the node was read from, for places.
        compiler: knows the names at this point.
        place: where to report what is missing when there is no node.
        schema: an object schema for the evaluated value; properties that it does not list are refused, unless it says
            `additionalProperties`. None takes anything.
        subject: what the values are for, in messages: `` `http.get` ``.
    """
    place = source.place(node) if node is not None else place
    builder = _Builder(source, compiler, schema or {}, subject)
    object_node = node if node is not None else Mapping(line=place.line, column=place.column)
    parts = builder.fill_object(object_node, _close(schema) if schema is not None else {}, "", place)
    problems = tuple(sorted(dict.fromkeys(builder.problems)))
    known = make_object_schema({name: part.schema for name, part in parts.items()})
    fills = tuple((name, part.fill) for name, part in parts.items())
    return CheckedTemplate(
        template=None if problems else CompiledTemplate(place, fills), problems=problems, schema=known
    )


@dataclass(frozen=True, slots=True)
class _Part:
    fill: Fill
    schema: Schema


_ANYTHING: Final = _Part(lambda _scope: None, {})


class _Builder:
    """Compiles one value; thrown away after."""

    def __init__(
        self,
        source: Source,
        compiler: ExpressionCompiler,
        root: Schema,
        subject: str,
        known: dict[str, Schema] | None = None,
    ) -> None:
        self._source = source
        self._compiler = compiler
        self._root = root
        self._subject = subject
        self._guesses = 0
        self._known: dict[str, Schema] = {} if known is None else known
        self.problems: list[Problem] = []

    def build(self, node: Node, schema: Schema, path: str) -> _Part:
        """Return what fills in a node's value."""
        schema = resolve(schema, self._root)
        if isinstance(node, Scalar):
            return self._build_scalar(node, schema, path)
        if not _has_expression(node) and not _asks_for_expression(schema, self._root):
            return self._build_literal(node, schema, path)
        if isinstance(node, Sequence):
            return self._build_list(node, schema, path)
        return self._build_object(node, schema, path)

    def fill_object(self, node: Mapping, schema: Schema, path: str, place: Place) -> dict[str, _Part]:
        """Return what fills in each property, and report unknown and missing ones."""
        properties: Any = schema.get("properties", {})
        others: Any = schema.get("additionalProperties", True)
        parts: dict[str, _Part] = {}
        misspelt: set[str] = set()
        # Expressions whose names are of the types of other inputs come after those.
        order = sorted(node.items, key=lambda name: _asks_for_expression(properties.get(name), self._root, NAMES))
        for name in order:
            child = node.items[name]
            inner: Schema = {}
            if name in properties:
                inner = properties[name]
            elif others is False:
                self._report_unknown(node, name, list(properties), path)
                meant = find_nearest(name, properties)
                if meant is not None and meant not in node.items:
                    misspelt.add(meant)
                    inner = properties[meant] if _has_expression(child) else {}
            elif isinstance(others, dict):
                inner = others
            parts[name] = self.build(child, inner, f"{path}.{name}" if path else name)
            if not path:
                self._known[name] = parts[name].schema
        required: Any = schema.get("required", ())
        for name in required:
            if name not in node.items and name not in misspelt:
                owner = f"`{path}`{self._of()}" if path else self._subject or "the value"
                what = "field" if path else "input"
                self._report(
                    "missing-input",
                    place,
                    f"{owner} needs the {what} `{name}`",
                    f"add `{name}:`" + ("" if path else " under `with:`"),
                )
        return {name: parts[name] for name in node.items}

    def _of(self) -> str:
        return f" of {self._subject}" if self._subject else ""

    def _report(self, code: str, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(Problem(place, message, code, hint))

    def _report_unknown(self, node: Mapping, name: str, known: list[str], path: str) -> None:
        owner = f"`{path}`{self._of()}" if path else self._subject or "the value"
        what = "field" if path else "input"
        place = self._source.place(node.keys[name]) if name in node.keys else self._source.place(node)
        hint = hint_nearest(name, known) or ("" if known else f"it takes no {what}s")
        self._report("unknown-input", place, f"{owner} has no {what} `{shorten(name)}`", hint)

    def _build_scalar(self, node: Scalar, schema: Schema, path: str) -> _Part:
        value = node.value
        asking = _find_asking(schema, self._root)
        if asking is not None and isinstance(value, str):
            compiler = self._compiler.with_roots(self._derive_names(asking))
            checked = compiler.compile(value, self._source.placer(node))
            self.problems += checked.problems
            expression = checked.expression
            if expression is None:
                return _ANYTHING
            return _Part(lambda scope: Deferred(expression, scope), checked.schema)
        if not isinstance(value, str) or OPENING not in value:
            return self._build_literal(node, schema, path)
        checked = self._compiler.compile_text(value, self._source.placer(node))
        self.problems += checked.problems
        if checked.expression is None:
            return _Part(_ANYTHING.fill, checked.schema)
        if not can_match(checked.shape, schema, self._root):
            message = f"`{path}`{self._of()} must be {name_expected(schema, self._root)}, and `{shorten(value.strip(), 60)}` is {checked.shape}"
            hint = _hint_match(checked.shape.kinds, schema, self._root, is_mixed=is_mixed(value))
            self._report("wrong-type", self._source.place(node), message, hint)
        return _Part(checked.expression.evaluate, checked.schema)

    def _derive_names(self, asking: Schema) -> dict[str, Schema]:
        """Return the type of each extra name of an expression, as far as it is known."""
        names: Any = asking[KEYWORD]
        types: Any = asking.get(NAMES, {})
        return {str(name): derive(types.get(name, {}), self._known, self._root) for name in names}

    def _build_literal(self, node: Node, schema: Schema, path: str) -> _Part:
        if schema:
            definitions = self._root.get("$defs")
            whole = {**schema, "$defs": definitions} if definitions else schema
            for finding in get_validator(whole).find(node.value):
                self._report_finding(finding, node, path)
        value = node.value
        return _Part(_copier(value), describe_literal(value))

    def _report_finding(self, finding: Finding, node: Node, path: str) -> None:
        found: Node = node
        for key in finding.path:
            if isinstance(found, Mapping) and key in found.items:
                found = found.items[str(key)]
            elif isinstance(found, Sequence) and isinstance(key, int) and key < len(found.items):
                found = found.items[key]
        where = path + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in finding.path)
        if finding.keyword == "additionalProperties" and isinstance(found, Mapping):
            self._report_unknown(found, finding.name, list(finding.known), where)
            return
        if finding.keyword == "required":
            known: Any = finding.schema.get("properties", {}) if isinstance(finding.schema, dict) else {}
            if isinstance(found, Mapping) and any(
                find_nearest(name, known) == finding.name for name in found.items if name not in known
            ):
                return  # it is there, misspelt
            self._report(
                "missing-input",
                self._source.place(found),
                f"`{where}`{self._of()} needs the field `{finding.name}`",
                f"add `{finding.name}:`",
            )
            return
        code = "wrong-type" if finding.keyword == "type" else "bad-value"
        hint = finding.hint or (_hint_literal(found, finding.schema) if code == "wrong-type" else "")
        self._report(code, self._source.place(found), f"`{where}`{self._of()}: {finding.message}", hint)

    def _build_list(self, node: Sequence, schema: Schema, path: str) -> _Part:
        options = list_options(schema, self._root, "list")
        if options is None:
            return self._report_kind(node, schema, path, "a list")
        items: Any = options[0].get("items", {}) if len(options) == 1 and "prefixItems" not in options[0] else {}
        parts = [
            self.build(item, items if isinstance(items, dict) else {}, f"{path}[{index}]")
            for index, item in enumerate(node.items)
        ]
        fills = tuple(part.fill for part in parts)
        known = join_items([part.schema for part in parts])
        return _Part(lambda scope: [fill(scope) for fill in fills], known)  # type: ignore[misc]  # a Deferred inside a list is the action's to take

    def _build_object(self, node: Mapping, schema: Schema, path: str) -> _Part:
        options = list_options(schema, self._root, "map")
        if options is None:
            return self._report_kind(node, schema, path, "an object")
        chosen = options[0] if len(options) == 1 else self._guess(node, options, path)
        parts = self.fill_object(node, chosen, path, self._source.place(node))
        fills = tuple((name, part.fill) for name, part in parts.items())
        known = make_object_schema({name: part.schema for name, part in parts.items()})
        return _Part(lambda scope: {name: fill(scope) for name, fill in fills}, known)  # type: ignore[misc]  # as above

    def _guess(self, node: Mapping, options: list[Schema], path: str) -> Schema:
        """Return the form that fits an object best; anything when there are too many to try."""
        if len(options) > MAX_GUESSES or self._guesses:
            return {}
        results: list[tuple[int, int]] = []
        for index, option in enumerate(options):
            trial = _Builder(self._source, self._compiler, self._root, self._subject, self._known)
            trial._guesses = 1
            trial.fill_object(node, option, path, self._source.place(node))
            results.append((len(trial.problems), index))
        return options[min(results)[1]]

    def _report_kind(self, node: Node, schema: Schema, path: str, given: str) -> _Part:
        self._report(
            "wrong-type",
            self._source.place(node),
            f"`{path}`{self._of()} must be {name_expected(schema, self._root)}, not {given}",
        )
        return _ANYTHING


def _close(schema: Schema) -> Schema:
    return schema if "additionalProperties" in schema else {**schema, "additionalProperties": False}


def _has_expression(node: Node) -> bool:
    if isinstance(node, Scalar):
        return isinstance(node.value, str) and OPENING in node.value
    children = node.items if isinstance(node, Sequence) else node.items.values()
    return any(_has_expression(child) for child in children)


def _asks_for_expression(schema: Any, root: Schema, keyword: str = KEYWORD, hops: int = 0) -> bool:
    """Whether a parameter inside a schema asks for an expression; with another keyword, for one of that kind."""
    if isinstance(schema, dict) and hops < 32:
        if keyword in schema:
            return True
        if "$ref" in schema:
            return _asks_for_expression(resolve(schema, root), root, keyword, hops + 8)
        return any(_asks_for_expression(each, root, keyword, hops + 1) for each in schema.values())
    return isinstance(schema, list) and any(_asks_for_expression(each, root, keyword, hops + 1) for each in schema)


def _find_asking(schema: Schema, root: Schema) -> Schema | None:
    """Return the schema that asks for an expression, also inside a union; None when there is none."""
    if KEYWORD in schema:
        return schema
    options: Any = schema.get("anyOf", schema.get("oneOf", ()))
    for option in options:
        found = _find_asking(resolve(option, root), root) if isinstance(option, dict) else None
        if found is not None:
            return found
    return None


def _hint_match(kinds: frozenset[str], schema: Schema, root: Schema, *, is_mixed: bool) -> str:
    expected = make_shape(schema, root).kinds
    if is_mixed and "string" not in expected:
        return "text around `${{ }}` makes it a text"
    if "string" in expected and "string" not in kinds:
        return "write it as a text with `string(x)` or `to_json(x)`"
    return (
        "make it a number with `int(x)` or `double(x)`" if kinds == {"string"} and expected & {"number", "int"} else ""
    )


def _hint_literal(node: Node, schema: Any) -> str:
    wanted = schema.get("type") if isinstance(schema, dict) else None
    if wanted == "string" and isinstance(node, Scalar) and isinstance(node.value, (bool, int, float)):
        return "put it in quotes"
    if wanted in ("integer", "number") and isinstance(node, Scalar) and node.text.lstrip("-").isdecimal():
        return "write it without quotes"
    return ""


def _copier(value: Json) -> Fill:
    """Return what gives a literal; lists and objects are copied, so that no receiver can change the workflow."""
    if isinstance(value, (list, dict)):
        return lambda _scope: _copy(value)
    return lambda _scope: value


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return {name: _copy(item) for name, item in value.items()} if isinstance(value, dict) else value
