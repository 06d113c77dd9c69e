"""Judges an expression before anything runs: names, steps, fields, and the types that reach operators and functions.

Owns the walk over the tree with the types of all names. It reports what cannot work, whatever the values turn out to be, and stays silent
where it does not know. Calls and operators are in `checker_calls`. Pure. Called by `expressions`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.guards import find_step_id, find_step_of, list_tested
from ipaas.definition.nearest import find_nearest, hint_nearest
from ipaas.definition.nodes import shorten
from ipaas.definition.syntax import Call, Let, ListOf, Literal, MapOf, Name, Select, show_path
from ipaas.definition.syntax_errors import Fault
from ipaas.definition.types import ANYTHING, NEVER, Shape, make_shape, of_kind, unite
from ipaas.definition.values import TYPE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipaas.definition.syntax import Node
    from ipaas.definition.volume import Volume
    from ipaas.model import Schema

_OTHER_NAMES: Final = {
    "None": "write `null`", "nil": "write `null`", "undefined": "write `null`", "True": "write `true`", "False": "write `false`",
    "secret": "only `credential:` reaches a secret", "secrets": "name a stored credential under `credential:` of the step that needs it",
    "credentials": "name a stored credential under `credential:` of the step that needs it", "this": "in a loop the item is `item`",
    "now": "take `run.started_at`: a result must not change when a run is resumed", "step": "write `steps.<id>.output`",
    "outputs": "write `steps.<id>.output`", "input": "write `inputs.<name>`", "args": "write `inputs.<name>`", "workflow": "write `run.workflow`",
}  # fmt: skip

MAX_FAULTS: Final = 20
"""Of one expression: looking for near names takes time, and nobody mends more at once."""

_STATUSES: Final = ["succeeded", "failed", "skipped", "cancelled"]
_STEP_ERROR: Final[Schema] = {
    "anyOf": [
        {"type": "null"},
        {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "step": {"type": "string"},
                "attempt": {"type": "integer"},
                "place": {"type": ["string", "null"]},
                "hint": {"type": "string"},
                "retry_after_s": {"type": ["number", "null"]},
            },
        },
    ]
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepName:
    """A step that expressions can name here.

    Attributes:
        output: schema of `steps.<id>.output`; of a `for_each` step, the schema of the whole list.
        is_list: whether it has `for_each`, and so `steps.<id>.items`.
        doubt: why its output may be missing, as the end of a sentence about the step ("has an `if`"), or empty.
        items_doubt: the same of its `items`, which are a list also when it was skipped or failed.
    """

    output: Schema
    is_list: bool = False
    doubt: str = ""
    items_doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What can be named at a point of a file.

    Attributes:
        roots: schema of each root but `steps`.
        steps: the steps that can be used here, by id.
        unreachable: every other step of the file, with the reason as the end of a sentence about it ("runs later").
        volume: counts what the file's expressions have in all; None does not count.
    """

    roots: Mapping[str, Schema]
    steps: Mapping[str, StepName]
    unreachable: Mapping[str, str]
    volume: Volume | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What is known at one node: the loop variables around it, and the steps that were asked about."""

    variables: Mapping[str, Shape] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()

    def with_variable(self, name: str, shape: Shape) -> View:
        """Return the view inside a loop."""
        return View({**self.variables, name: shape}, self.asked)

    def with_asked(self, *step_ids: str) -> View:
        """Return the view behind a guard."""
        return View(self.variables, self.asked.union(step_ids)) if step_ids else self


@dataclass(slots=True, eq=False)
class Checker:
    """Walks one expression; thrown away after. `whole_divisions` is what the evaluator needs to know of the types."""

    names: Names
    faults: list[Fault] = field(default_factory=list)
    whole_divisions: set[int] = field(default_factory=set)
    _has_doubts: bool | None = None
    _is_lost: bool = False

    def report(self, code: str, at: int, message: str, hint: str = "") -> Shape:
        """Note a fault, and go on with a type that causes no further ones."""
        self.faults.append(Fault(at, message, hint, code))
        return ANYTHING

    def check(self, node: Node, view: View) -> Shape:
        """Return the type of a node, noting everything that cannot work; after some twenty faults, nothing more."""
        if self._is_lost or len(self.faults) >= MAX_FAULTS:
            return ANYTHING
        match node:
            case Literal():
                return self._check_literal(node)
            case Name():
                return self._check_name(node, view)
            case Select():
                return self._check_select(node, view)
            case ListOf():
                items = [self._check_entry(item, view, index in node.optional) for index, item in enumerate(node.items)]
                return of_kind("list", item=unite(items) if items else NEVER)
            case MapOf():
                return self._check_map(node, view)
            case Let():
                shape = self.check(node.value, view)
                return self.check(node.body, view.with_variable(node.name, shape))
            case Call():
                from ipaas.definition.checker_calls import check_call

                return check_call(self, node, view)

    def _check_literal(self, node: Literal) -> Shape:
        value = node.value
        if isinstance(value, bool):
            return _BOOL
        if isinstance(value, float):
            if not math.isfinite(value):
                return self.report("bad-expression", node.at, "the number is too large", "JSON has no infinity")
            return _NUMBER
        if isinstance(value, str):
            return Shape(_STRING.kinds, {"const": value, "type": "string"})
        return _INT if isinstance(value, int) else _NULL if value is None else _BYTES

    def _check_name(self, node: Name, view: View) -> Shape:
        name = node.name
        if name in view.variables:
            return view.variables[name]
        if name in self.names.roots:
            return make_shape(self.names.roots[name])
        if name == "steps":
            return self.report(
                "unknown-step",
                node.at,
                "which step is meant must be written out",
                "write `steps.<id>.output`: a reference decides what runs first",
            )
        if name in TYPE_NAMES:
            return of_kind("type")
        if name == "secrets":
            message = "there is no `secrets`: only `credential:` reaches a secret"
            return self.report("unknown-name", node.at, message, _OTHER_NAMES[name])
        known = [*view.variables, *self.names.roots, "steps"]
        nearest = find_nearest(name, known)
        hint = f"did you mean `{nearest}`?" if nearest else self._hint_name(name, known)
        return self.report("unknown-name", node.at, f"there is no `{shorten(name)}` here", hint)

    def _hint_name(self, name: str, known: list[str]) -> str:
        if name in self.names.steps or name in self.names.unreachable:
            return f"write `steps.{name}.output`"
        inputs = make_shape(self.names.roots.get("inputs")).list_fields()
        if name in inputs:
            return f"write `inputs.{name}`"
        return _OTHER_NAMES.get(name) or hint_nearest(name, known)

    def _check_entry(self, node: Node, view: View, is_optional: bool) -> Shape:  # noqa: FBT001  # as the node has it
        shape = self.check(node, view)
        if not is_optional:
            return shape
        if "optional" not in shape.kinds and not shape.is_anything:
            return self.report(
                "wrong-type",
                node.at,
                f"`?` needs an optional value, not {shape}",
                "write `.?` before the field that may be missing",
            )
        return shape.get_item()

    def _check_map(self, node: MapOf, view: View) -> Shape:
        properties: dict[str, Schema] = {}
        is_known = True
        for entry in node.entries:
            key = self.check(entry.key, view)
            if not key.is_anything and "string" not in key.kinds:
                self.report("wrong-type", entry.key.at, f"a key must be a text, not {key}", "put it in quotes")
            value = self._check_entry(entry.value, view, entry.is_optional)
            if isinstance(entry.key, Literal) and isinstance(entry.key.value, str):
                schema = value.to_schema()
                properties[entry.key.value] = {} if "optional" in value.kinds and not entry.is_optional else schema
            else:
                is_known = False
        if not is_known:
            return of_kind("map")
        required = [
            e.key.value
            for e in node.entries
            if isinstance(e.key, Literal) and isinstance(e.key.value, str) and not e.is_optional
        ]
        return make_shape(
            {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        )

    def _check_select(self, node: Select, view: View) -> Shape:
        step_id = self.find_step(node, view)
        if step_id is not None:
            return self.check_step(step_id, node)
        if node.is_optional:
            view = self.trust(node.operand, view)
        self.check_doubt(node, node.operand, node.field, view)
        return self.select(self.check(node.operand, view), node, node.field)

    def list_asked(self, node: Node) -> tuple[str, ...]:
        """Return the ids of the steps that a condition asks whether they have run, if any step here is in doubt."""
        if self._has_doubts is None:
            self._has_doubts = any(step.doubt for step in self.names.steps.values())
        return tuple(list_tested(node)) if self._has_doubts else ()

    def find_step(self, node: Node, view: View) -> str | None:
        """Return the id when a node is `steps.<id>` and `steps` is not a loop variable."""
        return None if "steps" in view.variables or "steps" in self.names.roots else find_step_id(node)

    def trust(self, operand: Node, view: View) -> View:
        """A path that goes on with `.?` or `[?…]` asks by itself."""
        step_id = find_step_of(operand)
        return view.with_asked(step_id) if step_id is not None else view

    def check_doubt(self, node: Node, operand: Node, name: str, view: View) -> None:
        """Report the output of a step that may not have run, unless the expression asks first."""
        step_id = self.find_step(operand, view)
        step = self.names.steps.get(step_id) if step_id is not None else None
        if step is None or step_id in view.asked or name not in ("output", "items"):
            return
        doubt = step.doubt if name == "output" else step.items_doubt
        if not doubt:
            return
        if isinstance(node, Select) and node.is_optional:
            return
        path = f"steps.{step_id}.{name}"
        self.report(
            "maybe-missing",
            node.at,
            f"`{path}` may be missing: step `{step_id}` {doubt}",
            f"write `{path}.?field.orValue(…)`, or ask first: `has({path}) ? … : …`",
        )

    def check_step(self, step_id: str, node: Node) -> Shape:
        """Return the type of `steps.<id>`, or report why the step cannot be used here."""
        step = self.names.steps.get(step_id)
        if step is not None:
            return make_step_shape(step)
        reason = self.names.unreachable.get(step_id)
        if reason is not None:
            hint = "move it before this step, or this one behind it" if reason == "runs later" else ""
            return self.report("unreachable-step", node.at, f"step `{step_id}` cannot be used here: it {reason}", hint)
        known = [*self.names.steps, *self.names.unreachable]
        if dashed := next((each for each in known if each.startswith(f"{step_id}-")), None):
            self._is_lost = True  # what follows is the rest of the name
            message = f"`-` subtracts here, and there is no step `{shorten(step_id)}`"
            return self.report("unknown-step", node.at, message, f'write `steps["{dashed}"]`')
        hint = hint_nearest(step_id, known) or "no step runs before this one"
        return self.report("unknown-step", node.at, f"there is no step `{shorten(step_id)}`", hint)

    def select(self, shape: Shape, node: Select, name: str, at: int | None = None) -> Shape:
        """Return the type of a field of a type, or report that it cannot be there."""
        at = node.at if at is None else at
        if shape.kinds == {"optional"}:
            found = self.select(replace_null(shape.get_item()), replace(node, is_optional=False), name, at)
            return of_kind("optional", item=found)
        what = show_path(node.operand)
        named = f"`{what}`" if what else "what stands before it"
        if "map" not in shape.kinds and not shape.is_anything:
            if shape.kinds == {"null"} and node.is_optional:
                return of_kind("optional", item=ANYTHING)
            hint = "take one item, such as `[0]`, or go through all with `.map(x, …)`" if "list" in shape.kinds else ""
            return self.report("unknown-field", at, f"{named} is {shape} and has no field `{shorten(name)}`", hint)
        known = ANYTHING if shape.is_anything else shape.find_field(name)
        if known is None:
            known = self.report(
                "unknown-field", at, self._say_unknown(what, named, name), self._hint_field(shape, what, name)
            )
        return of_kind("optional", item=known) if node.is_optional else known

    def _say_unknown(self, what: str, named: str, name: str) -> str:
        if what == "inputs":
            return f"there is no input `{shorten(name)}`"
        if what == "env":
            return f"the environment variable `{shorten(name)}` is not one that pipelines may read"
        return f"{named} has no field `{shorten(name)}`"

    def _hint_field(self, shape: Shape, what: str, name: str) -> str:
        known = shape.list_fields()
        hint = hint_nearest(name, known)
        if hint.startswith("did"):
            return hint
        if what.startswith("steps.") and what.count(".") == 1:
            return (
                f"write `{what}.output.{name}`"
                if name not in ("items", "item")
                else "only a step with `for_each` has `items`"
            )
        if what == "inputs":
            return f"declare it under `inputs:`; {hint}" if hint else "declare it under `inputs:`"
        return hint


def make_step_shape(step: StepName) -> Shape:
    """Return the type of `steps.<id>`."""
    properties: dict[str, Schema] = {
        "status": {"type": "string", "enum": _STATUSES},
        "output": step.output,
        "error": _STEP_ERROR,
    }
    if step.is_list:
        item: Any = step.output.get("items", {}) if "$ref" not in step.output else {}
        entry: dict[str, Schema] = {
            "index": {"type": "integer"},
            "item": {},
            "status": {"type": "string", "enum": _STATUSES},
            "output": {"anyOf": [item, {"type": "null"}]} if item else {},
            "error": _STEP_ERROR,
        }
        properties["items"] = {"type": "array", "items": {"type": "object", "properties": entry}}
    return make_shape({"type": "object", "properties": properties, "additionalProperties": False})


def replace_null(shape: Shape) -> Shape:
    """Return a type without null: an optional value is not there when it would be null."""
    if "null" not in shape.kinds or shape.kinds == {"null"} or shape.is_anything:
        return shape
    return replace(shape, kinds=shape.kinds - {"null"})


_BOOL: Final = of_kind("bool")
_INT: Final = of_kind("int")
_NUMBER: Final = of_kind("number")
_STRING: Final = of_kind("string")
_NULL: Final = of_kind("null")
_BYTES: Final = of_kind("bytes")
