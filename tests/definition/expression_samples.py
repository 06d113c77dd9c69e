"""Names, places and short ways to compile and evaluate, for the tests of expressions."""

from collections.abc import Mapping
from typing import Any

from ipaas.definition.expressions import Checked, ExpressionCompiler, Names, StepName
from ipaas.model import Place, Schema

ORDERS: Schema = {
    "type": "object",
    "properties": {
        "status": {"type": "integer"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "body": {"type": "array", "items": {"$ref": "#/$defs/Order"}},
    },
    "$defs": {
        "Order": {
            "type": "object",
            "properties": {"id": {"type": "string"}, "total": {"type": "number"}, "line-count": {"type": "integer"}},
            "required": ["id", "total"],
        }
    },
}

NAMES = Names(
    roots={
        "inputs": {
            "type": "object",
            "properties": {
                "minimum": {"type": "integer"},
                "rate": {"type": "number"},
                "region": {"type": "string"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "anything": {},
            },
            "additionalProperties": False,
        },
        "run": {"type": "object", "properties": {"id": {"type": "string"}, "started_at": {"type": "string"}}},
        "env": {"type": "object", "properties": {}, "additionalProperties": False},
        "item": {},
    },
    steps={
        "orders": StepName(output=ORDERS),
        "maybe": StepName(output=ORDERS, doubt="has an `if`"),
        "each": StepName(
            output={"type": "array", "items": {"type": "object", "properties": {"ts": {"type": "string"}}}},
            is_list=True,
        ),
    },
    unreachable={"late": "runs later", "left": "is in the sibling branch `left`"},
)

COMPILER = ExpressionCompiler(NAMES)


def place_at(offset: int) -> Place:
    """Count columns from 1 at the text's first character."""
    return Place("p.yaml", 1, offset + 1)


def compile_here(text: str) -> Checked:
    return COMPILER.compile(text, place_at)


def make_compiler(scope: Mapping[str, Any]) -> ExpressionCompiler:
    """Return a compiler that knows these names, and nothing of their types."""
    return ExpressionCompiler(Names(roots={name: {} for name in scope if name != "steps"}, steps={}, unreachable={}))


def evaluate(text: str, scope: Mapping[str, Any] | None = None) -> Any:
    """Return the value of a text whose names may be anything."""
    scope = scope or {}
    checked = make_compiler(scope).compile(text, place_at)
    assert [str(problem) for problem in checked.problems] == []
    assert checked.expression is not None
    return checked.expression.evaluate(scope)
