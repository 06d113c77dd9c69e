"""From a compiled workflow and some inputs to a `RunRequest` that may be submitted. Pure.

Owns the check of a run's inputs and the slot that `concurrency` puts the run in. Knows words and JSON Schema; not the Store. Every
way to start a run comes through here: command line, schedules, `after`, `run_workflow`.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from ipaas.engine.scope import trigger_as_json
from ipaas.errors import InputError, StepError
from ipaas.model import Deferred
from ipaas.run import RunRequest

if TYPE_CHECKING:
    from ipaas.model import InputSpec, Json, JsonObject, Trigger, Workflow
    from ipaas.run import TriggerInfo

MAX_KEY_CHARS: Final = 200
"""A longer concurrency key is kept as its digest: a key may be any value, and the slot stands in an index."""


def make_request(
    workflow: Workflow,
    *,
    inputs: JsonObject,
    trigger: TriggerInfo,
    delivery: str | None = None,
    overlap: Literal["allow", "skip", "queue", "cancel_running"] = "allow",
    parent: tuple[str, str] | None = None,
    priority: int = 0,
) -> RunRequest:
    """Return the request for a run of this version of the workflow.

    Args:
        workflow: what is to run.
        inputs: as given: plain JSON, without the defaults. Text is never read as a number here.
        trigger: why it runs.
        delivery: a name that may be accepted once, or None.
        overlap: what to do when an earlier run of the workflow is not finished.
        parent: run id and step path of the run that asks for it, or None.
        priority: higher first.

    Raises:
        InputError: names every input that is unknown, missing or of the wrong form, or says why the concurrency key has no value.
    """
    complete = complete_inputs(workflow, inputs)
    slot, limit = "", 0
    if workflow.concurrency is not None:
        slot, limit = _make_slot(workflow, complete, trigger), workflow.concurrency.limit
    return RunRequest(
        workflow=workflow.id,
        version=workflow.version,
        inputs=complete,
        trigger=trigger,
        delivery=delivery,
        overlap=overlap,
        slot=slot,
        slot_limit=limit,
        when_full=workflow.concurrency.when_full if workflow.concurrency else "queue",
        parent=parent,
        priority=priority,
    )


def complete_inputs(workflow: Workflow, inputs: JsonObject) -> dict[str, Json]:
    """Return the inputs with defaults filled in, in the order of the file. Raises as `make_request`."""
    specs = {spec.name for spec in workflow.inputs}
    wrong = [_explain_unknown(workflow, name) for name in inputs if name not in specs]
    complete: dict[str, Json] = {}
    for spec in workflow.inputs:
        if spec.name in inputs:
            complete[spec.name] = inputs[spec.name]
            wrong += _check(workflow, spec, inputs[spec.name])
        elif spec.required:
            description = spec.schema.get("description")
            meaning = f" ({description})" if isinstance(description, str) and description else ""
            wrong.append((f"workflow `{workflow.id}` needs the input `{spec.name}`{meaning}", ""))
        else:
            complete[spec.name] = spec.default
    if wrong:
        messages, hints = zip(*wrong, strict=True)
        raise InputError("; ".join(messages), hint="; ".join(hint for hint in hints if hint))
    return complete


def make_trigger_inputs(trigger: Trigger, info: TriggerInfo) -> dict[str, Json]:
    """Return the inputs that a trigger gives to the run it starts, before defaults.

    Raises:
        InputError: an expression in them has no value; names the place.
    """
    if trigger.inputs is None:
        return {}
    try:
        values = trigger.inputs.evaluate({"trigger": trigger_as_json(info)})
    except StepError as error:
        raise InputError(
            f"{trigger.inputs.place}: the inputs of trigger `{trigger.id}` have no value: {error.message}",
            hint=error.hint,
        ) from error
    # Only an action's schema asks for a deferred expression, and a trigger has none.
    return {name: value for name, value in values.items() if not isinstance(value, Deferred)}


def _explain_unknown(workflow: Workflow, name: str) -> tuple[str, str]:
    from ipaas.definition.nearest import hint_nearest

    if not workflow.inputs:
        return f"workflow `{workflow.id}` takes no inputs, and was given `{name}`", ""
    return f"workflow `{workflow.id}` has no input `{name}`", hint_nearest(
        name, [spec.name for spec in workflow.inputs]
    )


def _check(workflow: Workflow, spec: InputSpec, value: Json) -> list[tuple[str, str]]:
    """Return message and hint of each thing about a given input that does not fit."""
    from ipaas.definition.findings import show_path
    from ipaas.definition.json_schema import (
        get_validator,
    )  # brings jsonschema, which runs without inputs need not pay for

    return [
        (f"input `{show_path((spec.name, *found.path))}` of workflow `{workflow.id}`: {found.message}", found.hint)
        for found in get_validator(spec.schema).find(value)
    ]


def _make_slot(workflow: Workflow, inputs: JsonObject, trigger: TriggerInfo) -> str:
    """Return the name under which runs share the limit: the workflow's id, and the key's value when there is one."""
    assert workflow.concurrency is not None
    key = workflow.concurrency.key
    if key is None:
        return workflow.id
    try:
        value = key.evaluate({"inputs": inputs, "trigger": trigger_as_json(trigger)})
    except StepError as error:
        raise InputError(f"{key.place}: the concurrency key has no value: {error.message}", hint=error.hint) from error
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    return f"{workflow.id}/{text if len(text) <= MAX_KEY_CHARS else sha256(text.encode()).hexdigest()}"
