"""What expressions can see at each point of a file.

Owns the schemas of the roots (`inputs`, `trigger`, `run`, `env`, `error`, loop names) and `Scope`, which knows the steps that have ended
at a point and can say of every other step why it cannot be used there. The compiler carries a scope along as it walks the outline; the
expression checker gets it as `Names`. What the engine gives at run time stands in `ipaas.engine.scope`; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ipaas.definition.expressions import ExpressionCompiler, Names, StepName
from ipaas.definition.outline import explain_hidden
from ipaas.definition.volume import Volume
from ipaas.errors import ERROR_TYPES

if TYPE_CHECKING:
    from ipaas.definition.outline import Outline, Part, StepDraft
    from ipaas.model import Schema

_TEXT: Final[Schema] = {"type": "string"}
_OPTIONAL_TEXT: Final[Schema] = {"type": ["string", "null"]}


def make_object(properties: Mapping[str, Schema], *, optional: frozenset[str] = frozenset()) -> Schema:
    """Return the schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


RUN: Final = make_object({"id": _TEXT, "workflow": _TEXT, "started_at": _TEXT})

ERROR: Final = make_object(
    {
        "type": {"type": "string", "enum": list(ERROR_TYPES)},
        "message": _TEXT,
        "step": _TEXT,
        "attempt": {"type": "integer"},
        "place": _OPTIONAL_TEXT,
        "hint": _TEXT,
        "retry_after_s": {"type": ["number", "null"]},
    }
)

LOOP: Final = make_object({"index": {"type": "integer"}})

_CHILD: Final[Mapping[str, Schema]] = {"workflow": _TEXT, "run_id": _TEXT}
"""What `trigger` has besides when another workflow starts this one by `run_workflow`, as any may."""

_AFTER: Final[Mapping[str, Schema]] = {"state": _TEXT, "outputs": {}}


def make_trigger_root(kinds: frozenset[str]) -> Schema:
    """Return the schema of `trigger` for a workflow with triggers of these kinds; a run may also be started by hand."""
    properties: dict[str, Schema] = {"type": _TEXT, "id": _TEXT, "scheduled_at": _OPTIONAL_TEXT, **_CHILD}
    if "after" in kinds:
        properties.update(_AFTER)
    return make_object(properties, optional=frozenset((*_CHILD, *_AFTER)))


def make_env_root(names: frozenset[str]) -> Schema:
    """Return the schema of `env`; a variable that is allowed may still be unset."""
    return make_object(dict.fromkeys(sorted(names), _TEXT), optional=names)


@dataclass(slots=True, eq=False, kw_only=True)
class Scope:
    """What can be seen at one point. Never changed once made, only derived from.

    Attributes:
        part: the list of steps around the point.
        here: the step at the point; None behind the last step of the list.
        volume: counts the expressions of the whole file.
    """

    outline: Outline
    part: Part
    here: StepDraft | None = None
    roots: Mapping[str, Schema]
    steps: Mapping[str, StepName]
    volume: Volume = field(default_factory=Volume)
    _compiler: ExpressionCompiler | None = None

    @property
    def compiler(self) -> ExpressionCompiler:
        """The compiler of expressions at this point, made at its first use."""
        if self._compiler is None:
            hidden = _Hidden(self)
            self._compiler = ExpressionCompiler(
                Names(roots=self.roots, steps=self.steps, unreachable=hidden, volume=self.volume)
            )
        return self._compiler

    def at(self, step: StepDraft | None) -> Scope:
        """Return the scope at a step of the same list, or behind its last one."""
        return replace(self, here=step, _compiler=None)

    def inside(self, part: Part) -> Scope:
        """Return the scope at the beginning of a list that a step holds."""
        return replace(self, part=part, here=None, _compiler=None)

    def with_roots(self, roots: Mapping[str, Schema]) -> Scope:
        """Return the scope with more names, which hide those of the same spelling."""
        return replace(self, roots={**self.roots, **roots}, _compiler=None)

    def with_tested(self, step_ids: Iterable[str]) -> Scope:
        """Return the scope behind a condition that asks whether these steps have run."""
        sure = {each: replace(self.steps[each], doubt="", items_doubt="") for each in step_ids if each in self.steps}
        return self.with_steps(sure)

    def with_steps(self, steps: Mapping[str, StepName]) -> Scope:
        """Return the scope after these steps."""
        return replace(self, steps={**self.steps, **steps}, _compiler=None) if steps else self


class _Hidden(Mapping[str, str]):
    """Every step of the file that cannot be seen from a point, with the reason, found when it is asked for."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getitem__(self, step_id: str) -> str:
        if step_id in self._scope.steps:
            raise KeyError(step_id)
        return explain_hidden(self._scope.outline.steps[step_id], self._scope.here, self._scope.part)

    def __iter__(self) -> Iterator[str]:
        return (step_id for step_id in self._scope.outline.steps if step_id not in self._scope.steps)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def add_doubt(names: Mapping[str, StepName], doubt: str) -> dict[str, StepName]:
    """Return the names with a reason why the steps may not have run; a step's own reason comes first."""
    return {
        step_id: replace(name, doubt=name.doubt or doubt, items_doubt=name.items_doubt or doubt)
        for step_id, name in names.items()
    }
