"""A finished or stored run as a document and as text.

Owns the one JSON shape of a run (`ipaas run`, `ipaas runs show`) and its text form. Pure but for `print_report`. Knows words only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ipaas.cli.output import (
    STATE_STYLES,
    print_facts,
    print_table,
    show_duration,
    show_text,
    show_time,
    to_json_text,
    to_plain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.run import Run, RunError, StepResult


def as_document(run: Run, steps: Sequence[StepResult]) -> dict[str, object]:
    """Return a run as one JSON object."""
    return {
        "id": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "state": run.state,
        "reason": run.reason,
        "trigger": to_plain(run.trigger),
        "inputs": to_plain(run.inputs),
        "outputs": to_plain(run.outputs),
        "error": to_plain(run.error),
        "created_at": to_plain(run.created_at),
        "started_at": to_plain(run.started_at),
        "finished_at": to_plain(run.finished_at),
        "parent": {"run": run.parent[0], "step": run.parent[1]} if run.parent else None,
        "recoveries": run.recoveries,
        "cancel_requested": run.cancel_requested,
        "steps": [to_plain(step) for step in steps],
    }


def describe_error(error: RunError) -> str:
    """Return an error in the form of a problem: the place first, then what happened, then how to mend it."""
    where = f"{error.place}: " if error.place else ""
    step = f"step `{error.step}`: " if error.step else ""
    attempt = f" (attempt {error.attempt})" if error.attempt > 1 else ""
    line = f"{where}{step}{error.message}{attempt} [{error.type}]"
    return f"{line}\n  hint: {error.hint}" if error.hint else line


def print_report(run: Run, steps: Sequence[StepResult]) -> None:
    """Print a run for a person: facts, error, steps, inputs and outputs."""
    took = run.finished_at - run.started_at if run.finished_at and run.started_at else None
    print_facts(
        {
            "id": run.id,
            "workflow": run.workflow,
            "state": run.state + (f" ({run.reason})" if run.reason else ""),
            "trigger": run.trigger.id or run.trigger.type,
            "due": show_time(run.trigger.scheduled_at),
            "created": show_time(run.created_at),
            "started": show_time(run.started_at),
            "finished": show_time(run.finished_at),
            "took": show_duration(took),
            "version": run.version[:12],
            "parent": f"{run.parent[0]} step {run.parent[1]}" if run.parent else "",
            "recoveries": str(run.recoveries or ""),
        }
    )
    if run.error is not None:
        sys.stdout.write("\n" + "".join(f"{show_text(line)}\n" for line in describe_error(run.error).splitlines()))
    if steps:
        sys.stdout.write("\n")
        print_table(
            ["STEP", "STATUS", "ACTION", "TRIES", "TOOK", "ERROR"],
            [_as_row(step) for step in steps],
            styles={1: STATE_STYLES},
        )
    for name, value in (("inputs", run.inputs), ("outputs", run.outputs)):
        if value:
            sys.stdout.write(f"\n{name}:\n{to_json_text(value)}\n")


def _as_row(step: StepResult) -> list[str]:
    took = step.finished_at - step.started_at if step.finished_at else None
    return [
        step.path,
        step.status,
        step.action,
        str(step.attempts or ""),
        show_duration(took),
        step.error.message if step.error else "",
    ]
