"""The keys of a pipeline file that hold expressions.

Owns which key takes what: `if` and `where` a bare or wrapped condition, `in` a list or an expression that gives one, `key` a text with
expressions, `with` and its kin JSON with expressions anywhere. Hands them to the expression half of this room and notes its problems.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ipaas.definition.constants import ITEMS, Constant, LiteralItems, infer_items
from ipaas.definition.expressions import find_tested_steps
from ipaas.definition.findings import show_value
from ipaas.definition.nodes import Mapping, Node, Scalar, Sequence, shorten
from ipaas.definition.templates import compile_template
from ipaas.definition.text_parts import is_mixed

if TYPE_CHECKING:
    from ipaas.definition.draft import Draft
    from ipaas.definition.expressions import Checked
    from ipaas.definition.scopes import Scope
    from ipaas.definition.templates import CheckedTemplate
    from ipaas.model import Expression, Schema, Template

MARK: Final = "${{"

_KINDS: Final = {
    "string": "text",
    "number": "a number",
    "integer": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}


def compile_condition(draft: Draft, holder: Mapping, key: str, scope: Scope) -> Expression | None:
    """Return the condition under a key; None when there is none, or a wrong one, which is noted."""
    node = holder.items.get(key)
    if not isinstance(node, Scalar):
        return None
    if isinstance(node.value, bool):
        return Constant(draft.place(node), node.text, node.value)
    if not isinstance(node.value, str):
        return None
    checked = _compile(draft, node, scope)
    if checked is None:
        return None
    kind = _find_other_type(checked.schema, "boolean")
    if kind:
        hint = "compare it with something, such as `!= null` or `> 0`"
        if is_mixed(node.value):
            hint = "put the whole condition into one `${{ }}`, or write it without"
        draft.report(node, "wrong-type", f"`{key}` must be true or false, and this is {kind}", hint)
        return None
    return checked.expression


def list_tested(holder: Mapping, key: str) -> frozenset[str]:
    """Return the steps that the condition under a key asks about: behind it they have run."""
    node = holder.items.get(key)
    return find_tested_steps(node.text) if isinstance(node, Scalar) and isinstance(node.value, str) else frozenset()


def compile_items(draft: Draft, loop: Mapping, scope: Scope) -> tuple[Expression | None, Schema]:
    """Return the expression under `in`, or None for a wrong one, and the schema of one item."""
    node = loop.items.get(ITEMS)
    if isinstance(node, Sequence):
        return _compile_list(draft, node, scope), infer_items(node.value)
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return None, {}
    checked = _compile(draft, node, scope)
    if checked is None:
        return None, {}
    kind = _find_other_type(checked.schema, "array")
    if kind:
        hint = "name the list inside it, or write one: `[a, b]`"
        draft.report(node, "wrong-type", f"`in` must be a list, and this is {kind}", hint)
        return None, {}
    items = checked.schema.get("items", {})
    return checked.expression, items if isinstance(items, dict) else {}


def compile_key(draft: Draft, node: Scalar, scope: Scope) -> Expression | None:
    """Return the text under `key`, which groups runs by what its expressions give."""
    if not isinstance(node.value, str):
        return None
    if MARK not in node.value:
        hint = f"write `${{{{ {shorten(node.value)} }}}}`, or remove `key:`"
        draft.report(node, "bad-value", "`key` is the same text for every run", hint)
        return None
    checked = _compile(draft, node, scope)
    return checked.expression if checked is not None else None


def compile_inputs(
    draft: Draft, holder: Mapping, key: str, scope: Scope, schema: Schema | None = None, *, subject: str = ""
) -> Template | None:
    """Return the template of the object under a key (`with`, `inputs`, `outputs`), or None for a wrong one; problems are noted.

    Args:
        holder: what has the key; without it the object is an empty one.
        schema: of the object, or None when anything goes.
        subject: what the values are for, in messages.
    """
    checked = check_inputs(draft, holder, key, scope, schema, subject=subject)
    return checked.template if checked is not None else None


def check_inputs(
    draft: Draft, holder: Mapping, key: str, scope: Scope, schema: Schema | None = None, *, subject: str = ""
) -> CheckedTemplate | None:
    """Return the object under a key with what is known of its type, as `compile_inputs`; None when it is no object."""
    node = holder.items.get(key)
    if node is not None and not isinstance(node, Mapping):
        return None  # the frame has refused it
    checked = compile_template(
        node, draft.source, scope.compiler, place=draft.place(holder), schema=schema, subject=subject
    )
    for problem in checked.problems:
        hint = problem.hint.replace("`with:`", f"`{key}:`")
        draft.problems.append(problem if hint == problem.hint else replace(problem, hint=hint))
    return checked


def _compile(draft: Draft, node: Scalar, scope: Scope) -> Checked | None:
    checked = scope.compiler.compile(node.text, draft.placer(node))
    draft.problems.extend(checked.problems)
    return None if checked.problems or checked.expression is None else checked


def _compile_list(draft: Draft, node: Sequence, scope: Scope) -> Expression | None:
    text = show_value(node.value)
    if not _has_expression(node):
        return Constant(draft.place(node), text, node.value)
    wrapped = Mapping(line=node.line, column=node.column, items={ITEMS: node}, value={ITEMS: node.value})
    checked = compile_template(wrapped, draft.source, scope.compiler, place=draft.place(node))
    draft.problems.extend(checked.problems)
    return None if checked.template is None else LiteralItems(draft.place(node), text, checked.template)


def _has_expression(node: Node) -> bool:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.items.values()
        elif isinstance(each, Sequence):
            waiting += each.items
        elif isinstance(each.value, str) and MARK in each.value:
            return True
    return False


def _find_other_type(schema: Schema, wanted: str) -> str:
    """Return in words what a value surely is instead of the wanted type; nothing when it may be of it."""
    types = schema.get("type")
    if isinstance(types, str):
        return "" if types == wanted else _KINDS.get(types, "")
    if isinstance(types, list) and types and wanted not in types:
        return " or ".join(dict.fromkeys(_KINDS.get(str(each), str(each)) for each in types))
    return ""
