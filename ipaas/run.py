"""The words of an execution: what is asked for, what happens, what is kept.

Owns `Run` and its states, `StepResult`, `RunError`, `Outcome`, ticks and log lines. Frozen, slotted, standard library only.
The Store keeps these values, the engine makes them, the command line and the API show them.

    queued ──► running ──► succeeded | failed | cancelled | timed_out | interrupted
      │  ▲       │  ▲
      │  └───────┘  └──► waiting ──► running | cancelled | timed_out
      └──► skipped (reason) | cancelled | dead_letter

Only these edges; terminal is final. `running → queued` is a recovery after a lost lease.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from ipaas.errors import ErrorType
    from ipaas.model import Json, JsonObject, Place

RunState = Literal[
    "queued",
    "running",
    "waiting",
    "succeeded",
    "failed",
    "cancelled",
    "timed_out",
    "interrupted",
    "skipped",
    "dead_letter",
]
TERMINAL: Final[frozenset[RunState]] = frozenset(
    {"succeeded", "failed", "cancelled", "timed_out", "interrupted", "skipped", "dead_letter"}
)
"""States that never change again."""

StepStatus = Literal["running", "succeeded", "failed", "skipped", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """Why a step or a run failed, for the person who must act.

    Attributes:
        type: one of the closed set.
        message: what happened, redacted.
        step: the path of the step (`tell[3]`), or empty when no step is at fault.
        attempt: from 1; 0 when no attempt was made.
        place: in the pipeline file, or None.
        hint: how to mend it, or empty.
        retry_after_s: what the other side asked for, or None.
    """

    type: ErrorType
    message: str
    step: str = ""
    attempt: int = 0
    place: Place | None = None
    hint: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What is kept of one step, one item of a loop, or one block.

    Attributes:
        path: from the workflow's root: `orders`, `tell[3]`, `both/left`, `poll#2/check` (third iteration).
        step: the step's id.
        inputs: evaluated `with`, redacted; None for blocks.
        attempts: how many were made.
    """

    path: str
    step: str
    status: StepStatus
    action: str = ""
    inputs: Json = None
    output: Json = None
    error: RunError | None = None
    attempts: int = 0
    started_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    state: RunState
    outputs: JsonObject | None = None
    error: RunError | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerInfo:
    """Why a run was started; the `trigger` root of expressions.

    Attributes:
        type: `manual`, `cron`, `every`, `at`, `after`, `workflow`.
        id: the trigger's id; empty for manual and workflow.
        scheduled_at: the instant it was due, or None.
        data: further names by type (`workflow`, `run_id`, `state`, `outputs` for `after`).
    """

    type: str = "manual"
    id: str = ""
    scheduled_at: datetime | None = None
    data: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What `submit` is asked for. Inputs are validated and complete (defaults filled in) before this is made.

    Attributes:
        version: of the workflow, to which the run is pinned.
        delivery: a name that may be accepted once per (tenant, workflow): the same delivery is the same run. A tick's is
            `<trigger>@<due instant>`; None is no such name.
        overlap: decided in the submit's own transaction against unfinished runs of the workflow (parent's runs excepted).
        slot: runs with the same slot share `slot_limit`; empty is no limit.
        parent: run id and step path of the run that asked for it, or None.
        priority: higher first; 0 is usual.
    """

    workflow: str
    version: str
    inputs: JsonObject = field(default_factory=dict)
    trigger: TriggerInfo = field(default_factory=TriggerInfo)
    delivery: str | None = None
    overlap: Literal["allow", "skip", "queue", "cancel_running"] = "allow"
    slot: str = ""
    slot_limit: int = 0
    when_full: Literal["queue", "skip", "cancel_running"] = "queue"
    parent: tuple[str, str] | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The answer to a `RunRequest`: the run's id, whether it is new, and its state: `queued`, `skipped`, or any when it is not new."""

    run_id: str
    created: bool
    state: RunState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write to a run: every write carries it, a higher fence voids it."""

    tenant: str
    run_id: str
    owner: str
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of one version of a workflow, as the Store has it.

    Attributes:
        id: sortable by creation time, unique over all tenants.
        fence: rises with each claim; 0 before the first.
        recoveries: how often a lost lease was taken over.
        cancel_requested: whether somebody asked for its end.
    """

    id: str
    tenant: str
    workflow: str
    version: str
    state: RunState
    reason: str = ""
    trigger: TriggerInfo
    inputs: JsonObject
    outputs: JsonObject | None = None
    error: RunError | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    parent: tuple[str, str] | None = None
    priority: int = 0
    owner: str = ""
    fence: int = 0
    recoveries: int = 0
    cancel_requested: bool = False

    @property
    def lease(self) -> Lease:
        """The lease that the newest claim gave."""
        return Lease(tenant=self.tenant, run_id=self.id, owner=self.owner, fence=self.fence)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """One change of a run, written in the change's own transaction; `sequence` rises within a run."""

    run_id: str
    sequence: int
    at: datetime
    state: RunState
    fence: int
    detail: str = ""


LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line that a step or the engine wrote about a run; `message` is redacted and free of control characters."""

    at: datetime
    level: LogLevel
    message: str
    step: str = ""
    attempt: int = 0
    fields: JsonObject = field(default_factory=dict)


TickOutcome = Literal["fired", "skipped", "missed", "caught_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One expected instant of one trigger and what became of it: silence is not an outcome."""

    workflow: str
    trigger: str
    due_at: datetime
    outcome: TickOutcome
    reason: str = ""
    run_id: str | None = None
