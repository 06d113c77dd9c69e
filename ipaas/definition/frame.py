"""The shape of a pipeline file: keys, types and ranges, checked against `schemas/workflow.schema.json`.

Owns the translation of what the schema refuses into located problems in the words of the language. Whatever needs more than
the shape (expressions, references, schedules, actions) is the compiler's, which calls this first.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipaas.definition.findings import Finding, show_path, show_value
from ipaas.definition.json_schema import Validator
from ipaas.definition.nearest import find_nearest, hint_nearest
from ipaas.definition.nodes import Mapping, Scalar, Sequence
from ipaas.model import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipaas.definition.findings import Path as KeyPath
    from ipaas.definition.source import Source

SCHEMA_NAME: Final = "workflow.schema.json"

STEP_VERBS: Final = ("uses", "parallel", "switch", "while", "try", "wait", "approve", "run_workflow")
TRIGGER_KINDS: Final = ("cron", "every", "at", "after", "webhook", "poll")

_WORDS: Final = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "null": "empty",
}

ID_HINT: Final = "begin with a letter a-z, go on with a-z, 0-9, `_` and `-`, at most 64 in all"

_SHAPES: Final = {
    "id": ("cannot be an id", ID_HINT),
    "name": ("cannot be a name", "begin with a letter or `_`, go on with letters, digits and `_`, at most 64 in all"),
    "credential": (
        "cannot be the name of a credential",
        "write the name of a stored credential, never the secret itself; names have letters, digits, `_`, `.` and `-`",
    ),
}

_MEANT: Final = {
    "action": "uses", "params": "with", "args": "with", "parameters": "with", "env": "with", "depends_on": "needs", "dependsOn": "needs",
    "when": "if", "condition": "if", "retries": "retry", "continue_on_error": "on_error", "loop": "for_each", "foreach": "for_each",
    "with_items": "for_each", "on": "triggers", "schedule": "triggers", "jobs": "steps", "tasks": "steps", "name": "id", "match": "if",
    "max_iterations": "max", "attempts": "max_attempts", "run": "uses", "max_concurrent": "limit", "tz": "timezone",
}  # fmt: skip
"""Words of other tools and their word here, offered where that word is allowed and no spelling is nearer."""


def read_frame() -> str:
    """Return the JSON Schema of pipeline files as text, from the wheel or the checkout."""
    package = Path(__file__).parent.parent
    bundled = package / "_bundled" / "schemas" / SCHEMA_NAME
    path = bundled if bundled.exists() else package.parent / "schemas" / SCHEMA_NAME
    return path.read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def get_frame() -> Validator:
    """Return the validator of pipeline files."""
    return Validator(json.loads(read_frame()))


def is_id(text: str) -> bool:
    """Whether a text can be the id of a workflow, trigger or step."""
    return re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", text) is not None


def is_name(text: str) -> bool:
    """Whether a text can be the name of an input or of a loop's item."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", text) is not None


def check_frame(source: Source) -> list[Problem]:
    """Return every problem of shape in a file whose YAML could be read, in the order of the schema."""
    root = source.root
    assert root is not None
    problems = [
        problem
        for finding in get_frame().find(root.value, limit=None)
        for problem in _Translator(source, finding).translate()
    ]
    return list(dict.fromkeys(problems))


def describe_holder(source: Source, path: KeyPath) -> str:
    """Return what a path lies in, as people name it: `step `say``, `trigger 2`, `retry` of step `say``; empty at the top."""
    for end in range(len(path), 0, -1):
        before, last = path[: end - 1], path[end - 1]
        kind = before[-1] if before else None
        if isinstance(last, int) and (kind in ("steps", "triggers", "on_failure", "on_success", "finally", "else")):
            holder = f"{'trigger' if kind == 'triggers' else 'step'} {_name(source, path[:end])}"
        elif before == ("inputs",):
            holder = f"input `{last}`"
        else:
            continue
        inner = show_path(path[end:])
        return f"`{inner}` of {holder}" if inner else holder
    return f"`{show_path(path)}`" if path else ""


def _name(source: Source, path: KeyPath) -> str:
    node = source.find_node(path)
    given = node.value.get("id") if isinstance(node, Mapping) else None
    position = path[-1]
    return f"`{given}`" if isinstance(given, str) else str(position + 1 if isinstance(position, int) else position)


def _find_meant(name: str, known: tuple[str, ...]) -> str | None:
    """Return the key that an unknown one was meant to be: of near spelling, or what other tools call it."""
    nearest = find_nearest(name, known)
    return nearest if nearest is not None or _MEANT.get(name) not in known else _MEANT[name]


class _Translator:
    """Turns one finding into problems; thrown away after."""

    def __init__(self, source: Source, finding: Finding) -> None:
        self._source = source
        self._finding = finding
        self._path = finding.path
        self._node = source.find_node(finding.path)
        schema = finding.schema
        self._kind = schema.get("x-ipaas-kind", "") if isinstance(schema, dict) else ""

    def translate(self) -> Iterator[Problem]:
        if self._is_told_elsewhere():
            return
        match self._finding.keyword:
            case "additionalProperties":
                yield self._make_unknown_key()
            case "required" if self._kind != "case":
                yield self._make_missing_key()
            case "type":
                yield self._make_wrong_type()
            case "oneOf" if self._kind in ("step", "trigger", "case"):
                yield from self._make_wrong_verbs()
            case "const" if self._kind == "version":
                quoted = " in quotes" if isinstance(self._value, str) else ""
                message = f"version {show_value(self._value)}{quoted} is not supported"
                yield self._make("unsupported-version", message, "write `version: 1`")
            case "pattern" | "minLength" if self._kind == "duration":
                pass  # the compiler reads durations, and knows better what is wrong
            case "pattern" if self._kind in _SHAPES:
                yield self._make_bad_name()
            case _:
                yield self._make("bad-value", f"{self._subject()}: {self._finding.message}", self._finding.hint)

    def _is_told_elsewhere(self) -> bool:
        """Whether another problem tells this mistake, and better."""
        finding, node = self._finding, self._node
        if finding.keyword == "type" and self._path[-1:] == ("wait",):
            holder = self._source.find_node(self._path[:-1])
            return isinstance(holder, Mapping) and "run_workflow" not in holder.items  # the compiler refuses the verb
        if not isinstance(node, Mapping):
            return False
        if self._is_step_as_branch(node):
            return finding.name != "steps"
        if finding.keyword == "required" and finding.name and isinstance(finding.schema, dict):
            known = finding.schema.get("properties", {})
            unknown = [name for name in node.items if name not in known]
            return any(_find_meant(name, tuple(known)) == finding.name for name in unknown)
        return False

    def _is_step_as_branch(self, node: Mapping) -> bool:
        return self._kind == "branch" and "steps" not in node.items and any(verb in node.items for verb in STEP_VERBS)

    def _make_bad_name(self) -> Problem:
        what, hint = _SHAPES[self._kind]
        if self._finding.name and isinstance(self._node, Mapping):
            key = self._node.keys[self._finding.name]
            return self._make("bad-name", f"`{show_value(self._finding.name)}` {what}", hint, self._source.place(key))
        # Whoever writes a secret there is told so without showing it again.
        shown = "this" if self._kind == "credential" else f"`{show_value(self._value)}`"
        return self._make("bad-name", f"{shown} {what}", hint)

    @property
    def _value(self) -> object:
        return self._node.value if self._node is not None else None

    def _subject(self) -> str:
        """The refused value's key with its holder: `retry.delay` of step `say`."""
        return describe_holder(self._source, self._path) or "the file"

    def _make(self, code: str, message: str, hint: str = "", place: Place | None = None) -> Problem:
        return Problem(place or self._place(), message, code, hint)

    def _place(self) -> Place:
        node = self._node
        # An empty value has no extent of its own: the key above it is what the person sees.
        if (node is None or (isinstance(node, Scalar) and node.value is None)) and self._path:
            parent = self._source.find_node(self._path[:-1])
            key = parent.keys.get(str(self._path[-1])) if isinstance(parent, Mapping) else None
            node = key or node or parent
        return self._source.place(node) if node is not None else Place(self._source.path)

    def _make_unknown_key(self) -> Problem:
        name, known = self._finding.name, self._finding.known
        meant = _find_meant(name, known)
        hint = f"did you mean `{meant}`?" if meant else hint_nearest(name, known)
        if self._kind == "trigger" and name == "manual":
            hint = "remove it: a person can always start a run"
        holder = describe_holder(self._source, self._path)
        key = self._node.keys[name] if isinstance(self._node, Mapping) and name in self._node.keys else self._node
        place = self._source.place(key) if key is not None else None
        return self._make(
            "unknown-key", f"unknown key `{show_value(name)}`{f' in {holder}' if holder else ''}", hint, place
        )

    def _make_missing_key(self) -> Problem:
        name = self._finding.name
        holder = describe_holder(self._source, self._path)
        hint = f"add `{name}:`"
        if isinstance(self._node, Mapping) and self._is_step_as_branch(self._node):
            hint = "write `id:` and `steps:` around it"
            return self._make("missing-key", f"{holder} is a step, and must be a branch of steps", hint)
        if self._kind == "workflow":
            hint = (
                "begin the file with `version: 1`"
                if name == "version"
                else "add `steps:` with a list of steps below it"
            )
        return self._make("missing-key", f"`{name}` is missing{f' in {holder}' if holder else ''}", hint)

    def _make_wrong_type(self) -> Problem:
        schema = self._finding.schema
        wanted = schema.get("type") if isinstance(schema, dict) else None
        types = [wanted] if isinstance(wanted, str) else list(wanted or ())
        value = self._value
        words = (
            "a JSON Schema like `{type: string}`"
            if self._kind == "schema"
            else " or ".join(_WORDS[each] for each in types)
        )
        if self._kind == "workflow":
            return self._make(
                "wrong-type", "a pipeline file is an object with `version` and `steps`", "begin it with `version: 1`"
            )
        if value is None:
            hint = f"write {words}" + (", or remove the key" if self._path and isinstance(self._path[-1], str) else "")
            return self._make("wrong-type", f"{self._subject()} is empty", hint)
        if isinstance(self._node, (Mapping, Sequence)):
            shown = "an object" if isinstance(self._node, Mapping) else "a list"
        else:
            shown = f"the text `{show_value(value)}`" if isinstance(value, str) else f"`{show_value(value)}`"
        return self._make(
            "wrong-type", f"{self._subject()} must be {words}, not {shown}", self._hint_type(types, value)
        )

    def _hint_type(self, types: list[str], value: object) -> str:
        if self._kind == "duration" and isinstance(value, int) and not isinstance(value, bool):
            return f"write the unit: `{value}s` for seconds, `{value}m` for minutes"
        if isinstance(value, str) and "${{" in value:
            return "expressions are not possible here: write the value itself"
        if types == ["string"] and isinstance(value, (bool, int, float)):
            return "put it in quotes"
        if isinstance(value, str) and value.lower() in ("yes", "no", "on", "off") and "boolean" in types:
            return f"write `{'true' if value.lower() in ('yes', 'on') else 'false'}`"
        if isinstance(value, str) and ("integer" in types or "boolean" in types):
            return "write it without quotes" if value.isdecimal() or value in ("true", "false") else ""
        if types == ["array"] and isinstance(self._node, Mapping):
            is_else = self._path[-1:] == ("else",) and "steps" in self._node.items
            return "put the list right below `else:`, without `steps:`" if is_else else "begin each item with `- `"
        if types == ["array"] and isinstance(value, str):
            return f"write a list: `[{show_value(value)}]`"
        if self._path[-1:] == ("retry",) and isinstance(value, int) and not isinstance(value, bool):
            return f"write `{{max_attempts: {value}}}`"
        return ""

    def _make_wrong_verbs(self) -> Iterator[Problem]:
        node = self._node
        if not isinstance(node, Mapping):
            return
        subject = self._subject()
        if self._kind == "case":
            yield self._make(
                "bad-case",
                f"{subject} is neither `{{if, steps}}` nor `{{else}}`",
                "write `if:` with `steps:`, or `else:` with a list of steps",
            )
            return
        verbs = STEP_VERBS if self._kind == "step" else TRIGGER_KINDS
        noun = "verb" if self._kind == "step" else "kind"
        present = [
            name
            for name in node.items
            if name in verbs and not (name == "wait" and isinstance(node.value["wait"], bool))
        ]
        if len(present) == 1:
            return  # beside a `wait: true`, which the compiler refuses
        if present:
            names = " and ".join(f"`{name}`" for name in present)
            hint = f"make one {self._kind} of each"
            yield self._make(
                "many-verbs",
                f"{subject} has more than one {noun}: {names}",
                hint,
                self._source.place(node.keys[present[1]]),
            )
            return
        # A misspelt verb is told as an unknown key, with the right one; to miss the verb as well says nothing new.
        unknown = [name for name in node.items if name not in self._finding.schema["properties"]]
        if not any(
            hint_nearest(name, verbs).startswith("did") or _MEANT.get(name) in verbs or name == "manual"
            for name in unknown
        ):
            yield self._make(
                "no-verb", f"{subject} has no {noun}", f"add one of {', '.join(f'`{name}`' for name in verbs)}"
            )
