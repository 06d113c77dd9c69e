"""Outline to steps: lists in their order, each step with the keys that every step may have.

Owns the walk over the outline and the scope that grows along it. What a verb is made of stands in `verbs`, the order of a graph in
`order`, the reading of expressions in `expression_fields`. Called by `compiler`; every mistake is noted in the draft, and the walk goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from ipaas.definition.draft import Draft, find_integer, find_mapping, find_text, is_true, list_texts
from ipaas.definition.expression_fields import compile_condition, compile_items, list_tested
from ipaas.definition.expressions import StepName
from ipaas.definition.nodes import Mapping, shorten
from ipaas.definition.order import find_order, list_ids
from ipaas.definition.outline import describe_step
from ipaas.definition.outputs import list_of, narrow
from ipaas.definition.schemas import compile_schema
from ipaas.definition.scopes import LOOP, add_doubt
from ipaas.definition.verbs import Compiled, compile_verb
from ipaas.model import Block, ForEach, Retry, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipaas.definition.outline import Part, StepDraft
    from ipaas.definition.scopes import Scope
    from ipaas.errors import ErrorType
    from ipaas.model import Schema

RESERVED: Final = ("inputs", "trigger", "run", "env", "steps", "loop", "page", "vars", "secrets")
"""Names that a loop or a `catch` may not take: they would hide what they stand for."""

_BESIDE: Final = {"with": ("uses", "run_workflow"), "credential": ("uses",), "wait": ("run_workflow",)}
"""Keys that belong to some verbs only."""


@dataclass(frozen=True, slots=True)
class CompiledBlock:
    """A list of steps that was compiled.

    Attributes:
        output: schema of the last step's output.
        names: the steps that can be seen behind the list, those inside blocks included.
    """

    block: Block
    output: Schema
    names: dict[str, StepName]


class StepCompiler:
    """Compiles the lists of one workflow. Used for one compilation, then thrown away."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def compile_block(self, part: Part, scope: Scope) -> CompiledBlock:
        """Compile a list of steps; steps with mistakes are left out of the result."""
        order = find_order(self.draft, part)
        inner = scope.inside(part)
        before: dict[str, dict[str, StepName]] = {}
        names = _name_all(part) if order.is_cyclic else {}
        steps: list[Step] = []
        output: Schema = {"type": "null"}
        for draft in order.steps:
            # Seen are all above in a sequence; in a graph what the step needs, and all that was seen there.
            is_graph = order.needs is not None and not order.is_cyclic
            visible = _join(before[need] for need in order.get_needs(draft)) if is_graph else names
            step, output, new = self._compile_step(draft, inner.with_steps(visible).at(draft), order.get_needs(draft))
            before[draft.id] = {**visible, **new} if is_graph else {}
            names.update(new)
            if step is not None:
                steps.append(step)
        return CompiledBlock(Block(steps=tuple(steps), is_graph=order.needs is not None), output, names)

    def _compile_step(
        self, step: StepDraft, scope: Scope, needs: tuple[str, ...]
    ) -> tuple[Step | None, Schema, dict[str, StepName]]:
        node = step.node
        self._check_keys(step)
        condition = compile_condition(self.draft, node, "if", scope)
        inner, for_each = self._compile_for_each(step, scope.with_tested(list_tested(node, "if")))
        timeout_s = self.draft.read_duration(node, "timeout", least_s=0.001)
        retry = self._compile_retry(node)
        returns = compile_schema(self.draft, node.items["returns"]) if "returns" in node.items else None
        body = compile_verb(self, step, inner) if step.verb is not None else Compiled(None)
        on_error: Any = find_text(node, "on_error") or "fail"
        output = narrow(body.output, returns) if returns is not None else body.output
        names = self._name_step(step, output, body)
        if body.body is None:
            return None, output, names
        made = Step(
            id=step.id,
            place=self.draft.place(node),
            body=body.body,
            name=find_text(node, "name") or "",
            condition=condition,
            for_each=for_each,
            needs=needs,
            timeout_s=timeout_s,
            retry=retry,
            on_error=on_error,
            returns=returns,
        )
        return made, names[step.id].output if step.id in names else output, names

    def _name_step(self, step: StepDraft, output: Schema, body: Compiled) -> dict[str, StepName]:
        """Return the names that later expressions may use: the step's own and those of the steps inside it."""
        is_loop = "for_each" in step.node.items
        doubt = ""
        if find_text(step.node, "on_error") == "continue":
            doubt = "may have failed (`on_error: continue`)"
        if "if" in step.node.items:
            doubt = "has an `if`"
        names: dict[str, StepName] = {}
        if not is_loop:
            around = f"is inside {describe_step(step)}, which {doubt}" if doubt else ""
            names.update(add_doubt(body.names, around) if around else body.names)
        names[step.id] = StepName(output=list_of(output) if is_loop else output, is_list=is_loop, doubt=doubt)
        return names

    def _check_keys(self, step: StepDraft) -> None:
        if step.verb is None:
            return
        for key, verbs in _BESIDE.items():
            if key in step.node.items and step.verb not in verbs and key != step.verb:
                hint = f"remove it; it belongs to {', '.join(f'`{each}`' for each in verbs)}"
                self.draft.report(
                    step.node.keys[key], "misplaced-key", f"`{key}` means nothing beside `{step.verb}`", hint
                )

    def _compile_for_each(self, step: StepDraft, scope: Scope) -> tuple[Scope, ForEach | None]:
        """Return the scope of one item, and the loop."""
        node = step.node.items.get("for_each")
        if node is None:
            return scope, None
        loop = node if isinstance(node, Mapping) else Mapping(line=node.line, column=node.column, items={"in": node})
        items, item_schema = compile_items(self.draft, loop, scope)
        name = self.read_name(loop, "as", "item")
        inner = scope.with_roots({name: item_schema, "loop": LOOP})
        where = compile_condition(self.draft, loop, "where", inner)
        inner = inner.with_tested(list_tested(loop, "where"))
        if items is None:
            return inner, None
        on_item_error: Any = find_text(loop, "on_item_error") or "fail"
        made = ForEach(
            items=items, name=name, where=where, limit=find_integer(loop, "limit") or 1, on_item_error=on_item_error
        )
        return inner, made

    def read_name(self, node: Mapping, key: str, default: str) -> str:
        """Return the name under `as`, or the default when it is absent or reserved."""
        name = find_text(node, key)
        if name in RESERVED:
            self.draft.report(node.items[key], "bad-name", f"`{name}` is a name of the language", "choose another one")
            return default
        return name or default

    def _compile_retry(self, step: Mapping) -> Retry | None:
        node = find_mapping(step, "retry")
        max_attempts = find_integer(node, "max_attempts") if node is not None else None
        if node is None:
            return None
        delay_s = self.draft.read_duration(node, "delay")
        max_delay_s = self.draft.read_duration(node, "max_delay")
        if delay_s is not None and max_delay_s is not None and max_delay_s < delay_s:
            hint = "raise `max_delay`, or lower `delay`"
            self.draft.report(node.items["max_delay"], "bad-value", "`max_delay` is shorter than `delay`", hint)
        errors = frozenset(cast("ErrorType", each.value) for each in list_texts(node, "errors"))
        backoff: Any = find_text(node, "backoff") or "exponential"
        made = Retry(
            max_attempts=max_attempts or 1,
            delay_s=1.0 if delay_s is None else delay_s,
            backoff=backoff,
            max_delay_s=max(60.0, delay_s or 0.0) if max_delay_s is None else max_delay_s,
            jitter=is_true(node, "jitter", default=True),
        )
        return made if not errors else Retry(**{**_as_dict(made), "errors": errors})

    def refuse(self, step: StepDraft) -> None:
        """Refuse a verb that this version cannot run."""
        verb = step.verb or ""
        hint = "leave the step out, or split the workflow where it waits"
        self.draft.report(
            step.node.keys[verb],
            "not-supported",
            f"`{shorten(verb)}` is part of the language, but this version of ipaas cannot run it yet",
            hint,
        )


def _as_dict(retry: Retry) -> dict[str, Any]:
    return {name: getattr(retry, name) for name in retry.__slots__}


def _join(several: Iterable[dict[str, StepName]]) -> dict[str, StepName]:
    joined: dict[str, StepName] = {}
    for names in several:
        joined.update(names)
    return joined


def _name_all(part: Part) -> dict[str, StepName]:
    """Return every step of a list whose steps wait for each other: that is told once, and not again at each reference."""
    return {step_id: StepName(output={}) for step in part.steps for step_id in list_ids(step)}
