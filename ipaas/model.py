"""The words of a pipeline: what a checked and compiled workflow is made of.

Owns `Problem`, `Place`, `Workflow` and its parts, and `ActionSpec`, what a connector's action promises.
Frozen, slotted, standard library only. `ipaas.definition` builds these values, `ipaas.engine` walks them, no one changes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from ipaas.errors import TRANSIENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias

    from ipaas.errors import ErrorType

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""Plain JSON of bounded depth. Lists are `list`, objects `dict`; numbers are finite."""

JsonObject: TypeAlias = "Mapping[str, Json]"
Schema: TypeAlias = "Mapping[str, Json]"
"""A JSON Schema (draft 2020-12)."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a text: file as the person wrote it, line and column from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a text.

    Attributes:
        place: where it is.
        message: what is wrong; lower case, no full stop, values in backticks.
        code: a stable kebab-case name, documented in docs/problems.md.
        hint: how to mend it, or empty.
    """

    place: Place
    message: str
    code: str
    hint: str = ""

    def __str__(self) -> str:
        first = f"{self.place}: {self.message} [{self.code}]"
        return f"{first}\n  hint: {self.hint}" if self.hint else first


class Expression(Protocol):
    """A compiled piece of text with `${{ }}` in it, or a bare expression. Immutable, usable from any task.

    `evaluate` takes the scope: the roots by name (`inputs`, `steps`, `run`, `item`, …), each plain JSON. It reads only
    what the text names, never changes it, and returns plain JSON. It raises `StepError(type="expression")` with the place.
    """

    @property
    def place(self) -> Place:
        """Where the text stands."""
        ...

    @property
    def text(self) -> str:
        """The text as written."""
        ...

    def evaluate(self, scope: Mapping[str, Json]) -> Json:
        """Return the value in this scope."""
        ...


@dataclass(frozen=True, slots=True)
class Deferred:
    """An expression that the action evaluates itself, once per item or page, bound to the step's scope.

    An action's parameter asks for one with the `x-ipaas-expression` keyword in its schema (a list of the extra names).
    In journals and dry runs it is shown as its `text`.
    """

    expression: Expression
    scope: Mapping[str, Json] = field(repr=False)

    @property
    def text(self) -> str:
        """The expression as written."""
        return self.expression.text

    def __call__(self, **names: Json) -> Json:
        """Evaluate with these extra names (`item=…`, `page=…`)."""
        return self.expression.evaluate({**self.scope, **names})


class Template(Protocol):
    """A compiled `with:` value: JSON whose leaves may be expressions. Immutable.

    `evaluate` returns plain JSON, except that parameters which ask for an expression get a `Deferred`.
    """

    @property
    def place(self) -> Place:
        """Where the value stands."""
        ...

    def evaluate(self, scope: Mapping[str, Json]) -> dict[str, Json | Deferred]:
        """Return the inputs in this scope."""
        ...


Effect = Literal["read", "idempotent", "write"]
"""What repeating an action does: `read` nothing, `idempotent` nothing more (same key), `write` it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """What an action of a connector promises; made from its signature by `ipaas.plugin`.

    Attributes:
        name: `<connector>.<action>`.
        effect: what repeating it does.
        summary: the docstring's first line.
        description: the whole docstring.
        input_schema: an object schema; unknown properties are refused.
        output_schema: schema of what it returns; `{}` is anything.
        takes_credential: whether `credential:` may be given.
        pure: it touches nothing but its inputs, so that a dry run may perform it.
        plugin: name of the plugin it came from.
    """

    name: str
    effect: Effect
    summary: str
    description: str = ""
    input_schema: Schema
    output_schema: Schema = field(default_factory=dict)
    takes_credential: bool = False
    pure: bool = False
    plugin: str = ""


Catalog: TypeAlias = "Mapping[str, ActionSpec]"
"""Every action there is, by `<connector>.<action>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a failed attempt is repeated. `delay_s * 2**(n-1)` for exponential, capped, then jittered; `Retry-After` wins."""

    max_attempts: int
    delay_s: float = 1.0
    backoff: Literal["constant", "linear", "exponential"] = "exponential"
    max_delay_s: float = 60.0
    jitter: bool = True
    errors: frozenset[ErrorType] = TRANSIENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach:
    """Run the step once per item of a list, at most `limit` at a time (1: one after the other)."""

    items: Expression
    name: str = "item"
    where: Expression | None = None
    limit: int = 1
    on_item_error: Literal["fail", "continue"] = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A list of steps: a sequence, or with any `needs` a graph.

    In a sequence each step's `needs` is empty and list order is the order. In a graph (`is_graph`) each step starts as
    soon as its `needs`, written or implied by a reference, are finished; steps are listed in one valid order.
    """

    steps: tuple[Step, ...]
    is_graph: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """One action of one connector."""

    action: str
    inputs: Template
    credential: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Branches that run at once; the first failure cancels the others unless the step says `on_error: continue`."""

    branches: tuple[tuple[str, Block], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """The first case whose condition holds runs; None stands for `else`."""

    cases: tuple[tuple[Expression | None, Block], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class While:
    """Repeat while the condition holds, at most `max` times, with a pause of `every_s` between iterations."""

    condition: Expression
    block: Block
    max: int
    every_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """What to do with errors of these types (empty: all); the error is visible as `name`."""

    errors: frozenset[ErrorType]
    name: str
    block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Run `block`; the first matching `catches` mends its failure; `cleanup` runs always, shielded on a cancel."""

    block: Block
    catches: tuple[Catch, ...] = ()
    cleanup: Block | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWorkflow:
    """Start another workflow; its outputs are the step's output unless `wait` is false (then `{run_id}`)."""

    workflow: str
    inputs: Template
    wait: bool = True


Body: TypeAlias = "Uses | Parallel | Switch | While | Try | RunWorkflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step with its verb (`body`) and the keys that every step may have.

    Attributes:
        id: unique in the workflow; given or `step<n>` by position.
        place: of the step's first key.
        timeout_s: per attempt; None is the engine's default for actions and none for blocks.
        retry: None is the default by the action's effect.
        returns: schema the output must meet at run time, or None.
    """

    id: str
    place: Place
    body: Body
    name: str = ""
    condition: Expression | None = None
    for_each: ForEach | None = None
    needs: tuple[str, ...] = ()
    timeout_s: float | None = None
    retry: Retry | None = None
    on_error: Literal["fail", "continue"] = "fail"
    returns: Schema | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A wall-time schedule in a zone; the DST rule stands in docs/language.md."""

    expression: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """A fixed interval of elapsed time, aligned to the Unix epoch so that every server agrees on the instants."""

    interval_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """One instant."""

    when: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """When a run of `workflow` ends in one of `states`."""

    workflow: str
    states: frozenset[str]


Timing: TypeAlias = "Cron | Every | At | After"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What starts a run besides a person.

    Attributes:
        id: unique in the workflow; given, or by kind and position (`cron1`).
        missed: what happens to instants that passed while nothing ran.
        missed_window_s: how far back `missed` looks; None is without end for `latest`, one day for `all`.
        overlap: what happens when an earlier run of the workflow is not finished.
        inputs: inputs of the runs it starts, or None.
    """

    id: str
    place: Place
    timing: Timing
    missed: Literal["none", "latest", "all"] = "latest"
    missed_window_s: float | None = None
    overlap: Literal["allow", "skip", "queue", "cancel_running"] = "skip"
    inputs: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One typed input of a workflow; required when it has no default."""

    name: str
    schema: Schema
    place: Place
    required: bool
    default: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """At most `limit` runs at once of the workflow, or per value of `key`."""

    limit: int
    key: Expression | None = None
    when_full: Literal["queue", "skip", "cancel_running"] = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A checked pipeline file, ready to run.

    Attributes:
        id: unique in a tenant.
        version: SHA-256 of the source text, hex; a run is pinned to it.
        path: of the file, as the person wrote it.
        source: the text it came from.
        outputs: evaluated after the steps; None is no outputs.
        active: what the file says; only a first sync reads it.
        actions: every action named, so that a missing plugin costs only this workflow.
        calls: ids of the workflows it starts.
    """

    id: str
    version: str
    path: str
    source: str = field(repr=False)
    place: Place
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[InputSpec, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    concurrency: Concurrency | None = None
    timeout_s: float | None = None
    block: Block
    on_failure: Block | None = None
    on_success: Block | None = None
    cleanup: Block | None = None
    outputs: Template | None = None
    active: bool = True
    actions: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
