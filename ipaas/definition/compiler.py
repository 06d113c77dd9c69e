"""Text to `Workflow`: the one door of this room for one file.

Owns the order of the work: source, frame, outline, then triggers, steps, handlers and outputs, each with the scope of its place. All
problems of a file are collected and come back sorted; a workflow only comes back without any. Pure: the same text, catalog and
options give the same answer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ipaas.definition.derived_types import describe_literal
from ipaas.definition.draft import (
    MAX_PROBLEMS,
    CompileOptions,
    Draft,
    Signature,
    find_integer,
    find_mapping,
    find_scalar,
    find_sequence,
    find_text,
    is_true,
)
from ipaas.definition.expression_fields import compile_inputs, compile_key
from ipaas.definition.frame import ID_HINT, check_frame, is_id
from ipaas.definition.nodes import Mapping, Node, Sequence, shorten
from ipaas.definition.outline import HANDLERS, Outline, Part, make_outline
from ipaas.definition.schemas import compile_workflow_inputs, join_inputs, join_schema
from ipaas.definition.scopes import ERROR, RUN, Scope, add_doubt, make_env_root, make_object, make_trigger_root
from ipaas.definition.source import Source, read_source
from ipaas.definition.step_compiler import CompiledBlock, StepCompiler
from ipaas.definition.triggers import compile_triggers
from ipaas.model import Block, Concurrency, Place, Problem, Schema, Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping as AbstractMapping

    from ipaas.definition.triggers import TriggerDraft
    from ipaas.model import Catalog, InputSpec, Template, Trigger


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled file.

    Attributes:
        workflow: None when there are problems.
        calls: ids of the workflows that its steps start, each with the first place.
        actions: the actions that its steps use.
    """

    workflow: Workflow | None
    problems: tuple[Problem, ...]
    calls: tuple[tuple[str, Place], ...] = ()
    actions: tuple[str, ...] = ()


def compile_text(
    text: bytes | str,
    path: str,
    catalog: Catalog,
    options: CompileOptions,
    signatures: AbstractMapping[str, Signature] | None = None,
) -> Compiled:
    """Compile one pipeline file.

    Args:
        text: its content.
        path: as the person wrote it; written into places, and its stem is the default id.
        catalog: every action there is.
        options: from the settings.
        signatures: of all workflows by id; None when the others are not known: then ids of workflows are not checked.
    """
    return compile_source(read_source(text, path), catalog, options, signatures, _hash(text))


def compile_source(
    source: Source,
    catalog: Catalog,
    options: CompileOptions,
    signatures: AbstractMapping[str, Signature] | None,
    version: str,
) -> Compiled:
    """Compile a source that was read. `version` is the hash of its bytes."""
    if source.root is None:
        return Compiled(None, _finish(source.problems))
    problems = [*source.problems, *check_frame(source)]
    if not isinstance(source.root, Mapping):
        return Compiled(None, _finish(problems))
    draft = Draft(source=source, catalog=catalog, options=options, signatures=signatures, problems=problems)
    workflow = _Compiler(draft, source.root, version).compile()
    calls = tuple(draft.calls.items())
    return Compiled(None if draft.problems else workflow, _finish(draft.problems), calls, tuple(sorted(draft.actions)))


def find_signature(source: Source) -> Signature | None:
    """Return what others see of a workflow, as far as its file can be read; None without an id or inputs that can be."""
    if not isinstance(source.root, Mapping):
        return None
    draft = Draft(source=source, catalog={}, options=CompileOptions(), signatures=None)
    workflow_id = find_id(source)
    if not is_id(workflow_id):
        return None
    inputs = find_mapping(source.root, "inputs")
    specs = compile_workflow_inputs(draft, inputs) if inputs is not None else ()
    outputs = find_mapping(source.root, "outputs")
    schema: Schema = {"type": "object"}
    if outputs is not None:
        schema = {
            "type": "object",
            "properties": {name: {} for name in outputs.items},
            "required": list(outputs.items),
            "additionalProperties": False,
        }
    if draft.problems:  # what is wrong with an input is told there, not again at each call
        return Signature(id=workflow_id, outputs=schema)
    return Signature(id=workflow_id, inputs=join_inputs(specs), outputs=schema)


def find_starts(source: Source) -> tuple[str, ...]:
    """Return the ids of all workflows that a file names, in `run_workflow` and `after`, at whatever depth."""
    found: set[str] = set()
    waiting: list[Node] = [source.root] if source.root is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            after = find_mapping(node, "after")
            named = (find_text(node, "run_workflow"), find_text(after, "workflow") if after is not None else None)
            found.update(name for name in named if name)
            waiting += node.items.values()
        elif isinstance(node, Sequence):
            waiting += node.items
    return tuple(sorted(found))


def find_id(source: Source) -> str:
    """Return the id that a file gives, or its stem; it need not be a valid one."""
    given = find_text(source.root, "id") if isinstance(source.root, Mapping) else None
    return given if given is not None else PurePath(source.path).stem


def _hash(text: bytes | str) -> str:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()


def _finish(problems: list[Problem] | tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Sort, and leave out what is said twice: what an alias stands for is checked at each use."""
    found = sorted(dict.fromkeys(problems))
    if len(found) <= MAX_PROBLEMS:
        return tuple(found)
    more = len(found) - MAX_PROBLEMS
    last = found[MAX_PROBLEMS]
    rest = Problem(
        last.place, f"{more} more problems from here on are not shown", "too-many-problems", "mend those above first"
    )
    return (*found[:MAX_PROBLEMS], rest)


class _Compiler:
    """Compiles one file. Used once."""

    def __init__(self, draft: Draft, root: Mapping, version: str) -> None:
        self._draft = draft
        self._root = root
        self._version = version
        self._steps = StepCompiler(draft)

    def compile(self) -> Workflow:
        """Return the workflow; it is whole only when the draft has no problems."""
        draft, root = self._draft, self._root
        workflow_id = find_id(draft.source)
        if "id" not in root.items and not is_id(workflow_id):
            draft.report(
                root, "bad-name", f"the file's name `{shorten(workflow_id)}` cannot be an id", f"add `id:`; {ID_HINT}"
            )
        input_nodes = find_mapping(root, "inputs")
        inputs = compile_workflow_inputs(draft, input_nodes) if input_nodes is not None else ()
        trigger_nodes = find_sequence(root, "triggers")
        trigger_drafts = compile_triggers(draft, trigger_nodes, workflow_id) if trigger_nodes is not None else []
        outline = make_outline(draft, root)
        scope = self._make_scope(outline, inputs, input_nodes)
        triggers = tuple(self._complete_trigger(each, inputs, scope) for each in trigger_drafts)
        concurrency = self._compile_concurrency(scope)
        timeout_s = draft.read_duration(root, "timeout", least_s=0.001)
        blocks, after = self._compile_blocks(outline, scope)
        outputs = self._compile_outputs(after)
        labels = find_mapping(root, "labels")
        return Workflow(
            id=workflow_id,
            version=self._version,
            path=draft.source.path,
            source=draft.source.text,
            place=draft.place(root),
            description=find_text(root, "description") or "",
            labels={name: str(value) for name, value in labels.value.items()} if labels is not None else {},
            inputs=inputs,
            triggers=triggers,
            concurrency=concurrency,
            timeout_s=timeout_s,
            block=blocks.get("steps", Block(steps=())),
            on_failure=blocks.get("on_failure"),
            on_success=blocks.get("on_success"),
            cleanup=blocks.get("finally"),
            outputs=outputs,
            active=is_true(root, "active", default=True),
            actions=frozenset(draft.actions),
            calls=frozenset(draft.calls),
        )

    def _make_scope(self, outline: Outline, inputs: tuple[InputSpec, ...], input_nodes: Mapping | None) -> Scope:
        """Return the scope before the first step."""
        nodes = find_sequence(self._root, "triggers")
        kinds = frozenset(
            key for node in (nodes.items if nodes else ()) if isinstance(node, Mapping) for key in node.items
        )
        properties = {spec.name: join_schema(spec) for spec in inputs}
        # A wrong schema is told once, not again at every use of its input.
        properties.update({name: {} for name in (input_nodes.items if input_nodes else ()) if name not in properties})
        roots: dict[str, Schema] = {
            "inputs": make_object(properties),
            "trigger": make_trigger_root(kinds),
            "run": RUN,
            "env": make_env_root(self._draft.options.env_names),
            "vars": describe_literal(dict(self._draft.options.vars)),
        }
        return Scope(outline=outline, part=outline.parts.get("steps", Part("steps")), roots=roots, steps={})

    def _complete_trigger(self, draft: TriggerDraft, inputs: tuple[InputSpec, ...], scope: Scope) -> Trigger:
        """Add the inputs; every run that a trigger starts must have all it needs."""
        early = replace(scope, roots={"trigger": scope.roots["trigger"]}, _compiler=None)
        holder = f"trigger `{draft.trigger.id}`"
        if find_mapping(draft.node, "inputs") is None:
            missing = [spec.name for spec in inputs if spec.required]
            if missing and "inputs" not in draft.node.items:
                names = ", ".join(f"`{name}`" for name in missing)
                hint = "add `inputs:` to the trigger, or a `default` to the input"
                noun = "input" if len(missing) == 1 else "inputs"
                self._draft.report(
                    draft.node, "missing-input", f"{holder} does not give the required {noun} {names}", hint
                )
            return draft.trigger
        schema = join_inputs(inputs)
        inputs_template = compile_inputs(self._draft, draft.node, "inputs", early, schema, subject="the workflow")
        return replace(draft.trigger, inputs=inputs_template)

    def _compile_concurrency(self, scope: Scope) -> Concurrency | None:
        node = find_mapping(self._root, "concurrency")
        limit = find_integer(node, "limit") if node is not None else None
        if node is None or limit is None:
            return None
        early = replace(scope, roots={name: scope.roots[name] for name in ("inputs", "trigger")}, _compiler=None)
        key = find_scalar(node, "key")
        expression = compile_key(self._draft, key, early) if key is not None else None
        when_full: Any = find_text(node, "when_full") or "queue"
        return Concurrency(limit=limit, key=expression, when_full=when_full)

    def _compile_blocks(self, outline: Outline, scope: Scope) -> tuple[dict[str, Block], Scope]:
        """Return the workflow's own lists by key, and the scope behind its steps."""
        compiled: dict[str, CompiledBlock] = {}
        names = {}
        main = outline.parts.get("steps")
        if main is not None:
            compiled["steps"] = self._steps.compile_block(main, scope)
            names = compiled["steps"].names
        unsure = add_doubt(names, "may not have run before the failure")
        for kind in HANDLERS:
            part = outline.parts.get(kind)
            if part is None:
                continue
            seen = scope.with_steps(names if kind == "on_success" else unsure)
            if kind == "on_failure":
                seen = seen.with_roots({"error": ERROR})
            compiled[kind] = self._steps.compile_block(part, seen)
        return {kind: each.block for kind, each in compiled.items()}, scope.with_steps(names)

    def _compile_outputs(self, after: Scope) -> Template | None:
        has_outputs = find_mapping(self._root, "outputs") is not None
        return compile_inputs(self._draft, self._root, "outputs", after) if has_outputs else None
