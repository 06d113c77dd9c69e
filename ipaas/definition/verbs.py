"""The verbs: what `uses`, `run_workflow` and the blocks are made of.

Owns the checks that belong to one verb, and the type of each verb's output. Calls back to the step compiler for the lists inside a block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from ipaas.definition.derived_types import derive
from ipaas.definition.draft import Draft, find_integer, find_mapping, find_scalar, find_text, is_true, list_texts
from ipaas.definition.expression_fields import MARK, check_inputs, compile_condition, compile_inputs, list_tested
from ipaas.definition.frame import is_id
from ipaas.definition.nodes import Mapping, Scalar, shorten
from ipaas.definition.outputs import NULL, any_of
from ipaas.definition.scopes import ERROR, LOOP, add_doubt, make_object
from ipaas.model import Block, Catch, Parallel, RunWorkflow, Switch, Try, Uses, While

if TYPE_CHECKING:
    from ipaas.definition.expressions import StepName
    from ipaas.definition.outline import Part, StepDraft
    from ipaas.definition.scopes import Scope
    from ipaas.definition.step_compiler import CompiledBlock
    from ipaas.errors import ErrorType
    from ipaas.model import Body, Expression, Schema


@dataclass(frozen=True, slots=True)
class Compiled:
    """A verb that was compiled; `body` is None when it has mistakes. `names` are the steps inside that can be seen behind it."""

    body: Body | None
    output: Schema = field(default_factory=dict)
    names: dict[str, StepName] = field(default_factory=dict)


class Walk(Protocol):
    """What a verb needs of the step compiler."""

    draft: Draft

    def compile_block(self, part: Part, scope: Scope) -> CompiledBlock:
        """Compile a list of steps."""
        ...

    def read_name(self, node: Mapping, key: str, default: str) -> str:
        """Return the name under a key."""
        ...

    def refuse(self, step: StepDraft) -> None:
        """Refuse a verb that this version cannot run."""
        ...


def compile_verb(walk: Walk, step: StepDraft, scope: Scope) -> Compiled:
    """Compile what the step does; mistakes are noted in the draft."""
    match step.verb:
        case "uses":
            return _compile_uses(walk.draft, step, scope)
        case "run_workflow":
            return _compile_run_workflow(walk.draft, step, scope)
        case "parallel":
            return _compile_parallel(walk, step, scope)
        case "switch":
            return _compile_switch(walk, step, scope)
        case "while":
            return _compile_while(walk, step, scope)
        case "try":
            return _compile_try(walk, step, scope)
        case _:
            walk.refuse(step)
            return Compiled(None)


def _compile_uses(draft: Draft, step: StepDraft, scope: Scope) -> Compiled:
    node = find_scalar(step.node, "uses")
    spec = draft.catalog.get(node.value) if node is not None and isinstance(node.value, str) else None
    if node is None or spec is None:
        if node is not None and isinstance(node.value, str):
            _report_unknown_action(draft, node, node.value)
        compile_inputs(draft, step.node, "with", scope)
        return Compiled(None)
    draft.actions.add(spec.name)
    credential = find_text(step.node, "credential")
    if credential is not None and not spec.takes_credential:
        draft.report(
            step.node.keys["credential"], "no-credential", f"`{spec.name}` takes no credential", "remove `credential:`"
        )
    checked = check_inputs(draft, step.node, "with", scope, spec.input_schema, subject=f"`{spec.name}`")
    inputs = checked.template if checked is not None else None
    body = None if inputs is None else Uses(action=spec.name, inputs=inputs, credential=credential)
    given: Any = checked.schema["properties"] if checked is not None else {}
    return Compiled(body, derive(spec.output_schema, given, spec.input_schema))


def _report_unknown_action(draft: Draft, node: Scalar, name: str) -> None:
    connectors = sorted({each.partition(".")[0] for each in draft.catalog})
    connector, dot, action = name.partition(".")
    actions = sorted(each.partition(".")[2] for each in draft.catalog if each.partition(".")[0] == connector)
    if MARK in name:
        hint = "write the name itself; choose between actions with `switch:`"
        draft.report(node, "unknown-action", "`uses` takes no expressions", hint)
    elif connector not in connectors:
        hint = draft.hint(connector, connectors)
        if not hint.startswith("did"):
            hint = "see `ipaas plugins list` for the connectors there are"
        draft.report(node, "unknown-connector", f"unknown connector `{shorten(connector)}`", hint)
    elif not dot or not action:
        hint = (
            f"write `{connector}.{actions[0]}`"
            if len(actions) == 1
            else draft.hint("", [f"{connector}.{each}" for each in actions])
        )
        draft.report(node, "unknown-action", f"`{shorten(name)}` names a connector, but no action", hint)
    else:
        hint = draft.hint(action, actions)
        draft.report(node, "unknown-action", f"unknown action `{shorten(action)}` of connector `{connector}`", hint)


def _compile_run_workflow(draft: Draft, step: StepDraft, scope: Scope) -> Compiled:
    node = find_scalar(step.node, "run_workflow")
    name = node.value if node is not None and isinstance(node.value, str) else None
    signature = draft.signatures.get(name) if draft.signatures is not None and name is not None else None
    if node is not None and name is not None and draft.signatures is not None and signature is None and is_id(name):
        draft.report(
            node, "unknown-workflow", f"unknown workflow `{shorten(name)}`", draft.hint(name, draft.signatures)
        )
    if node is not None and name is not None:
        draft.calls.setdefault(name, draft.place(node))
    wanted = signature.inputs if signature is not None else None
    inputs = compile_inputs(draft, step.node, "with", scope, wanted, subject=f"workflow `{shorten(name or '')}`")
    waits = is_true(step.node, "wait", default=True)
    output: Schema = make_object({"run_id": {"type": "string"}})
    if waits:
        output = signature.outputs if signature is not None else {}
    body = None if inputs is None or name is None else RunWorkflow(workflow=name, inputs=inputs, wait=waits)
    return Compiled(body, output)


def _compile_parallel(walk: Walk, step: StepDraft, scope: Scope) -> Compiled:
    branches: list[tuple[str, Block]] = []
    outputs: dict[str, Schema] = {}
    names: dict[str, StepName] = {}
    for part in step.parts:
        compiled = walk.compile_block(part, scope)
        if part.key in outputs and part.node is not None and "id" in part.node.items:
            hint = "give each branch its own id"
            walk.draft.report(
                part.node.items["id"], "duplicate-id", f"the branch id `{shorten(part.key)}` is taken already", hint
            )
        branches.append((part.key, compiled.block))
        outputs[part.key] = compiled.output
        names.update(compiled.names)
    return Compiled(
        Parallel(branches=tuple(branches)), {} if _has_definitions(outputs) else make_object(outputs), names
    )


def _has_definitions(outputs: dict[str, Schema]) -> bool:
    """References point into their own schema: such outputs cannot be parts of another schema."""
    return any("$defs" in schema for schema in outputs.values())


def _compile_switch(walk: Walk, step: StepDraft, scope: Scope) -> Compiled:
    cases: list[tuple[Expression | None, Block]] = []
    outputs: list[Schema] = []
    names: dict[str, StepName] = {}
    has_else = False
    for position, part in enumerate(step.parts):
        node = cast("Mapping", part.node)
        is_else = "else" in node.items
        if is_else and position < len(step.parts) - 1:
            walk.draft.report(
                node.keys["else"],
                "bad-case",
                "`else` is not the last case: those below it never run",
                "move it to the end",
            )
        condition = None if is_else else compile_condition(walk.draft, node, "if", scope)
        compiled = walk.compile_block(part, scope.with_tested(list_tested(node, "if")))
        cases.append((condition, compiled.block))
        outputs.append(compiled.output)
        names.update(add_doubt(compiled.names, "is in a case of a `switch`, which may not be the one that runs"))
        has_else = has_else or is_else
    return Compiled(Switch(cases=tuple(cases)), any_of(outputs if has_else else [*outputs, NULL]), names)


def _compile_while(walk: Walk, step: StepDraft, scope: Scope) -> Compiled:
    node = find_mapping(step.node, "while")
    if node is None or not step.parts:
        return Compiled(None)
    part = step.parts[0]
    inner = scope.with_roots({"loop": LOOP})
    compiled = walk.compile_block(part, inner)
    # From the second round on the condition sees the round before it.
    before = inner.with_steps(add_doubt(compiled.names, "has not run before the first round"))
    condition = compile_condition(walk.draft, node, "if", before)
    every_s = walk.draft.read_duration(node, "every")
    body = None
    if condition is not None:
        body = While(
            condition=condition, block=compiled.block, max=find_integer(node, "max") or 100, every_s=every_s or 0.0
        )
    names = add_doubt(compiled.names, "is in a `while`, which may not run at all")
    return Compiled(body, any_of([compiled.output, NULL]), names)


def _compile_try(walk: Walk, step: StepDraft, scope: Scope) -> Compiled:
    if find_mapping(step.node, "try") is None or not step.parts or step.parts[0].kind != "try":
        return Compiled(None)
    first = walk.compile_block(step.parts[0], scope)
    names = dict(first.names)
    outputs = [first.output]
    catches: list[Catch] = []
    cleanup: Block | None = None
    tried = add_doubt(first.names, "is in the `try`, which may have failed before it")
    for part in step.parts[1:]:
        node = cast("Mapping", part.node)
        if part.kind == "cleanup":
            seen = {**tried, **{key: name for key, name in names.items() if key not in tried}}
            compiled = walk.compile_block(part, scope.with_steps(seen))
            cleanup = compiled.block
            names.update(compiled.names)
            continue
        if catches and not catches[-1].errors:
            walk.draft.report(
                node,
                "bad-case",
                "the `catch` above it takes every error: this one never runs",
                "give that one `errors:`, or move it to the end",
            )
        name = walk.read_name(node, "as", "error")
        compiled = walk.compile_block(part, scope.with_steps(tried).with_roots({name: ERROR}))
        errors = frozenset(cast("ErrorType", each.value) for each in list_texts(node, "errors"))
        catches.append(Catch(errors=errors, name=name, block=compiled.block))
        outputs.append(compiled.output)
        names.update(add_doubt(compiled.names, "is in a `catch`, which runs only on an error"))
    if catches:
        names.update(tried)
    body = Try(block=first.block, catches=tuple(catches), cleanup=cleanup)
    return Compiled(body, any_of(outputs), names)
