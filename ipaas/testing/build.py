"""Workflows without files: compiled values built by hand, with Python functions as their expressions.

Owns builders for tests of hosts, runners and the interpreter, where reading YAML would only stand in the way. Knows words only.

    workflow(step("one", uses("flow.set", value=1)), step("two", uses("flow.set", value=lambda scope: scope["steps"]["one"]["output"])))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ipaas.errors import StepError
from ipaas.model import (
    Block,
    Catch,
    Deferred,
    ForEach,
    InputSpec,
    Parallel,
    Place,
    RunWorkflow,
    Step,
    Switch,
    Try,
    Uses,
    While,
    Workflow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from ipaas.errors import ErrorType
    from ipaas.model import Body, Json, Schema

    Formula: TypeAlias = "Json | Callable[[Mapping[str, Any]], Any]"
    """A constant, or a function of the scope."""

FILE = "pipelines/test.yaml"


@dataclass(frozen=True, slots=True)
class PythonExpression:
    """An `Expression` that is a Python function of the scope, or a constant. Its failures are of type `expression`."""

    formula: Any
    text: str = "formula"
    place: Place = field(default=Place(FILE, 1, 1))

    def evaluate(self, scope: Mapping[str, Any]) -> Json:
        """Return the value in this scope."""
        if not callable(self.formula):
            value: Json = self.formula
            return value
        try:
            result: Json = self.formula(scope)
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise StepError(f"{type(error).__name__}: {error}", type="expression") from error
        return result


@dataclass(frozen=True, slots=True)
class PythonTemplate:
    """A `Template` whose leaves may be Python functions of the scope, or expressions to be deferred."""

    values: Mapping[str, Any]
    place: Place = field(default=Place(FILE, 1, 1))

    def evaluate(self, scope: Mapping[str, Any]) -> dict[str, Json | Deferred]:
        """Return the inputs in this scope."""
        return {name: _fill(value, scope) for name, value in self.values.items()}


def _fill(value: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(value, PythonExpression):
        return Deferred(value, scope)
    if isinstance(value, dict):
        return {name: _fill(each, scope) for name, each in value.items()}
    return PythonExpression(value).evaluate(scope)


def expression(formula: Formula, *, line: int = 1) -> PythonExpression:
    """Return an expression."""
    return PythonExpression(formula, place=Place(FILE, line, 1))


def uses(action: str, *, credential: str | None = None, **inputs: Any) -> Uses:
    """Return the body of a step that performs an action."""
    return Uses(action=action, inputs=PythonTemplate(inputs), credential=credential)


def call_workflow(workflow: str, *, wait: bool = True, **inputs: Any) -> RunWorkflow:
    """Return the body of a step that starts another workflow."""
    return RunWorkflow(workflow=workflow, inputs=PythonTemplate(inputs), wait=wait)


def block(*steps: Step) -> Block:
    """Return a list of steps; with any `needs` it is a graph."""
    return Block(steps=steps, is_graph=any(step.needs for step in steps))


def parallel(**branches: Block) -> Parallel:
    """Return the body of a step with branches."""
    return Parallel(branches=tuple(branches.items()))


def switch(*cases: tuple[Formula, Block]) -> Switch:
    """Return the body of a step with cases; the condition None is `else`."""
    return Switch(cases=tuple((None if when is None else expression(when), then) for when, then in cases))


def repeat(condition: Formula, *steps: Step, max: int = 100, every_s: float = 0.0) -> While:
    """Return the body of a `while` step."""
    return While(condition=expression(condition), block=block(*steps), max=max, every_s=every_s)


def attempt(*steps: Step, catches: tuple[Catch, ...] = (), cleanup: Block | None = None) -> Try:
    """Return the body of a `try` step."""
    return Try(block=block(*steps), catches=catches, cleanup=cleanup)


def catch(*steps: Step, errors: tuple[ErrorType, ...] = (), name: str = "error") -> Catch:
    """Return one `catch` of a `try` step."""
    return Catch(errors=frozenset(errors), name=name, block=block(*steps))


def for_each(
    items: Formula,
    *,
    name: str = "item",
    where: Formula | None = None,
    limit: int = 1,
    on_item_error: Literal["fail", "continue"] = "fail",
) -> ForEach:
    """Return a loop over a list."""
    return ForEach(
        items=expression(items),
        name=name,
        where=None if where is None else expression(where),
        limit=limit,
        on_item_error=on_item_error,
    )


def step(id: str, body: Body, *, condition: Formula | None = None, line: int = 1, **keys: Any) -> Step:
    """Return a step; `keys` are those of `Step`."""
    when = None if condition is None else expression(condition, line=line)
    return Step(id=id, place=Place(FILE, line, 5), body=body, condition=when, **keys)


def workflow(
    *steps: Step,
    id: str = "test",
    inputs: Mapping[str, Schema] | None = None,
    outputs: Mapping[str, Any] | None = None,
    **keys: Any,
) -> Workflow:
    """Return a workflow of these steps; `inputs` are schemas, required without a `default`; `keys` are those of `Workflow`."""
    place = Place(FILE, 1, 1)
    specs = [
        InputSpec(
            name=name, schema=schema, place=place, required="default" not in schema, default=schema.get("default")
        )
        for name, schema in (inputs or {}).items()
    ]
    return Workflow(
        id=id,
        version="0" * 64,
        path=FILE,
        source="",
        place=place,
        inputs=tuple(specs),
        block=block(*steps),
        outputs=None if outputs is None else PythonTemplate(outputs),
        **keys,
    )
