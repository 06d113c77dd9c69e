"""A dry run as a document and as text: what each step would do.

Owns the JSON shape and the text of `ipaas run --dry`. Pure; knows words and the shape of a dry run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ipaas.cli.output import show_text, to_plain
from ipaas.cli.run_report import describe_error
from ipaas.vault import hide_by_key

if TYPE_CHECKING:
    from ipaas.engine.dry_host import DryRun, DryStep
    from ipaas.model import Workflow
    from ipaas.plugin import RecordedRequest

MAX_VALUE: Final = 400
"""Letters of a value in the text form; the JSON form has all of it."""


def as_dry_document(workflow: Workflow, dry: DryRun) -> dict[str, object]:
    """Return a dry run as one JSON object, with the keys of a run; `id` is null because nothing was recorded."""
    return {
        "id": None,
        "dry": True,
        "workflow": workflow.id,
        "version": workflow.version,
        "state": dry.outcome.state,
        "outputs": to_plain(dry.outcome.outputs),
        "error": to_plain(dry.outcome.error),
        "steps": [_as_object(step) for step in dry.steps],
    }


def render_dry(workflow: Workflow, dry: DryRun) -> str:
    """Return a dry run as text."""
    lines = [f"dry run of {workflow.id}: nothing is sent, nothing is written", ""]
    for step in dry.steps:
        lines.append(f"{step.path}  {step.action}")
        if not step.requests and step.inputs:
            inputs = _hide_headers(to_plain(step.inputs))
            assert isinstance(inputs, dict)
            lines += [f"    {name}: {_show(value)}" for name, value in inputs.items()]
        for request in step.requests:
            lines += [f"    {line}" for line in _show_request(request)]
        kind = "made up" if step.made_up else "real"
        lines.append(f"    -> {_show(step.output)} ({kind})")
        if step.note:
            lines += [f"    note: {note}" for note in step.note.splitlines()]
    lines += ["", f"would end {dry.outcome.state.replace('_', ' ')}"]
    if dry.outcome.error is not None:
        lines += describe_error(dry.outcome.error).splitlines()
    if dry.outcome.outputs:
        lines.append(f"outputs: {_show(dry.outcome.outputs)}")
    return "".join(f"{show_text(line)}\n" for line in lines)


def _as_object(step: DryStep) -> dict[str, object]:
    plain = to_plain(step)
    assert isinstance(plain, dict)
    hidden = _hide_headers(plain)
    assert isinstance(hidden, dict)
    return hidden


def _hide_headers(value: object) -> object:
    """Return a value in which each object called `headers` has its telling names hidden, wherever it stands."""
    if isinstance(value, dict):
        return {
            key: hide_by_key(part) if key == "headers" and isinstance(part, dict) else _hide_headers(part)
            for key, part in value.items()
        }
    return [_hide_headers(part) for part in value] if isinstance(value, list) else value


def _show_request(request: RecordedRequest) -> list[str]:
    lines = [f"{request.method} {request.url}"]
    lines += [f"  {name}: {value}" for name, value in hide_by_key(request.headers).items()]
    if request.body is not None:
        lines.append(f"  {_show(request.body)}")
    return lines


def _show(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(to_plain(value), ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text)} characters)"
