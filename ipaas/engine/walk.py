"""Where the interpreter stands: the walk it is on, the frame it is in, and how it asks expressions there.

Owns `Walk` (what the interpreter's parts need of each other), `Frame` and the evaluation of expressions with their place in the error.
Knows words and the host; the parts (`attempts`, `loops`, `blocks`) know this module, and not each other's insides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from ipaas.engine.host import StepFailed
from ipaas.errors import StepError
from ipaas.model import Place
from ipaas.run import RunError

if TYPE_CHECKING:
    from ipaas.engine.host import Host
    from ipaas.engine.scope import Scope
    from ipaas.model import Block, Deferred, Expression, Json, Step, Template

_PLACE: Final = re.compile(r":(\d+):(\d+): ")
_ATTEMPT: Final = re.compile(r"\.attempt\d+")
"""Ids have no dot, so this is never part of one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A list of steps under way.

    Attributes:
        prefix: of the paths in it: empty, `both/`, `poll#2/`, `finally/`.
        scope: what its expressions see.
        closed: how the block around it ended in an earlier execution, when it failed: nothing that has no result in the journal is
            performed any more, because it was cancelled or never begun then.
    """

    prefix: str
    scope: Scope
    closed: RunError | None = None

    def inside(self, prefix: str) -> Frame:
        """Return the frame of a list of steps inside a step of this one."""
        return replace(self, prefix=prefix)


class Walk(Protocol):
    """One run's way through its workflow; the interpreter is it, its parts call it."""

    @property
    def host(self) -> Host:
        """What performs everything."""
        ...

    @property
    def run_id(self) -> str:
        """Begins every idempotency key."""
        ...

    @property
    def action_timeout_s(self) -> float:
        """Of each attempt at an action when the step says nothing."""
        ...

    @property
    def cleanup_s(self) -> float:
        """How long cleanup may go on after a cancel."""
        ...

    async def run_block(self, block: Block, frame: Frame) -> Json:
        """Run a list of steps and return the last one's output. Raises `StepFailed` with the error of the one that failed it."""
        ...

    async def run_body(self, step: Step, path: str, frame: Frame) -> Json:
        """Perform one attempt at a block and return its output; `frame` is that of the steps inside. Raises `StepFailed`."""
        ...


def evaluate(expression: Expression, scope: Scope, path: str) -> Json:
    """Return an expression's value.

    Raises:
        StepFailed: of type `expression`, with the place of the expression.
    """
    try:
        return expression.evaluate(scope.roots)
    except StepError as error:
        raise expression_failed(error, expression.place, path) from error


def evaluate_template(template: Template, scope: Scope, path: str) -> dict[str, Json | Deferred]:
    """Return the inputs that a `with:` value gives.

    Raises:
        StepFailed: of type `expression`, with the place.
    """
    try:
        return template.evaluate(scope.roots)
    except StepError as error:
        raise expression_failed(error, template.place, path) from error


def evaluate_condition(expression: Expression, scope: Scope, path: str) -> bool:
    """Return whether a condition holds; anything but true and false is an error of type `expression`."""
    value = evaluate(expression, scope, path)
    if isinstance(value, bool):
        return value
    raise StepFailed(
        RunError(
            type="expression",
            message=f"the condition `{expression.text}` is {describe(value)}, not true or false",
            step=path,
            place=expression.place,
            hint="compare it with something, such as `== true` or `!= null`",
        )
    )


def expression_failed(error: StepError, place: Place, path: str) -> StepFailed:
    """Return the failure of a step whose expression failed.

    An expression begins its message with the exact place inside the text (`file:9:25: …`): that becomes the error's place, so that
    it is told once.
    """
    message = error.message
    if message.startswith(f"{place.file}:") and (found := _PLACE.match(message, len(place.file))) is not None:
        place = Place(place.file, int(found[1]), int(found[2]))
        message = message[found.end() :]
    return StepFailed(RunError(type=error.type, message=message, step=path, place=place, hint=error.hint))


def describe(value: Json) -> str:
    """Name what a value is, without showing its content."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list | tuple) else "an object"


def without_attempts(path: str) -> str:
    """Return a path that is the same for every attempt at the blocks around it; idempotency keys are made of it."""
    return _ATTEMPT.sub("", path) if ".attempt" in path else path
