"""Whatever stands in a file, the answer is a workflow or problems in plain words."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ipaas.definition import CompileOptions, compile_text
from ipaas.definition.frame import read_frame
from tests.definition.definition_catalog import CATALOG
from tests.definition.test_compiler import ALL, BLOCKS, SEE

OPTIONS = CompileOptions(env_names=frozenset({"REGION"}))
SEEDS = [ALL, f"version: 1\ninputs: {{n: {{type: integer, default: 3}}}}\nsteps:\n{BLOCKS}", SEE]
SEEDS += [path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))]

JARGON = (
    "is not valid under any",
    "Traceback",
    "object at 0x",
    "None of",
    "ValidationError",
    "{'",
    "additionalProperties",
)


def check(text: str) -> None:
    compiled = compile_text(text, "a.yaml", CATALOG, OPTIONS, {})
    assert (compiled.workflow is None) == bool(compiled.problems)
    assert list(compiled.problems) == sorted(set(compiled.problems))
    for problem in compiled.problems:
        assert problem.place.line >= 1
        assert problem.place.column >= 1
        assert "\n" not in problem.message + problem.hint
        assert not any(word in problem.message for word in JARGON)


@given(st.sampled_from(SEEDS), st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_files_give_problems(text: str, data: st.DataObject) -> None:
    """Cutting, doubling and replacing pieces of real files raises nothing."""
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        piece = data.draw(
            st.sampled_from(
                [
                    "",
                    text[start:end] * 2,
                    "x",
                    ": ",
                    "- ",
                    "{",
                    "}",
                    "[",
                    '"',
                    "${{",
                    "}}",
                    "null",
                    "1",
                    "\n",
                    "  ",
                    "&a ",
                    "*a",
                ]
            )
        )
        text = text[:start] + piece + text[end:]
    check(text)


VALUES = st.sampled_from(
    [
        None,
        True,
        3,
        -1,
        1.5,
        "",
        "x",
        "${{ inputs.n }}",
        "${{ steps.x.output }}",
        "5m",
        "${{",
        [],
        {},
        [None],
        {"a": 1},
        {"if": 1},
    ]
)
KEYS = st.sampled_from(
    [
        "id",
        "uses",
        "with",
        "steps",
        "if",
        "in",
        "for_each",
        "needs",
        "max",
        "else",
        "catch",
        "errors",
        "type",
        "default",
        "cron",
        "zzz",
    ]
)


def list_spots(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in list(children):
        found.append((value, key))
        found += list_spots(child)
    return found


@given(st.sampled_from(SEEDS[:3]), st.data())
@settings(max_examples=300, deadline=None)
def test_right_files_with_wrong_values_give_problems(text: str, data: st.DataObject) -> None:
    """Any value anywhere, and any key anywhere, raises nothing."""
    document = yaml.safe_load(text)
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(list_spots(document)))
        if isinstance(holder, dict) and data.draw(st.booleans()):
            holder[data.draw(KEYS)] = holder.pop(key)
        else:
            holder[key] = deepcopy(data.draw(VALUES))  # lists and objects are drawn more than once, and changed later
    check(yaml.safe_dump(document, sort_keys=False))


HEAD = "version: 1\nsteps:\n"
CHAIN = "".join(f"  - {{id: s{n}, uses: flow.log, needs: [s{n + 1}], with: {{message: x}}}}\n" for n in range(900))
WIDE = "".join(
    f'  - {{id: s{n}, uses: flow.log, with: {{message: "${{{{ steps.s{n - 1}.status }}}}"}}}}\n' for n in range(1, 900)
)


def nest(levels: int) -> str:
    text = "{uses: flow.log, with: {message: x}}"
    for _ in range(levels):
        text = f"{{try: {{steps: [{text}]}}}}"
    return f"version: 1\nsteps: [{text}]\n"


@pytest.mark.parametrize(
    "text",
    [
        HEAD + CHAIN,
        HEAD + WIDE,
        HEAD + "  - {uses: flow.log, wiht: 1}\n" * 1200,
        HEAD + "  - {uses: flow.log, with: {message: '${{ " + "(" * 5000 + " }}'}}\n",
        HEAD + "  - {uses: flow.log, with: {message: '" + "${{ x }}" * 50_000 + "'}}\n",
        HEAD + "  - {uses: flow.log, with: {message: '${{ " + "1+" * 100_000 + "1 }}'}}\n",
        HEAD + "  - &a {uses: flow.log, with: {message: x}}\n" + "  - *a\n" * 1500,
        "version: 1\ninputs:\n"
        + "".join(f"  i{n}: {{type: integer, default: x}}\n" for n in range(1500))
        + "steps: []\n",
        "version: 1\ninputs: {a: {pattern: '^(a+)+$', default: '" + "a" * 5000 + "!'}}\nsteps: []\n",
        "version: 1\ninputs: {a: {$ref: '#', default: 1}, b: {allOf: [{$ref: '#'}, {$ref: '#'}], default: 1}}\nsteps: []\n",
        nest(21),
        nest(15),
        "version: 1\n" + "".join(f"key{n}: 1\n" for n in range(4000)),
        "version: 1\ntriggers: [" + "{timezone: Europe/Nowhere, cron: '* * * * *'}, " * 800 + "]\nsteps: []\n",
        "version: 1\ntriggers: ["
        + "".join(f"{{timezone: Europe/Nowhere{n}, every: 1h}}, " for n in range(1500))
        + "]\nsteps: []\n",
        HEAD
        + "".join(
            f'  - {{id: s{n}, uses: flow.log, with: {{message: "${{{{ steps.t{n}x.status }}}}"}}}}\n'
            for n in range(700)
        ),
        HEAD
        + "  - uses: flow.log\n    with:\n      message: |\n"
        + "".join(f"        line {n} ${{{{ inputz.a{n} }}}}\n" for n in range(9000)),
        HEAD
        + "  - uses: flow.log\n    with:\n      message: |\n"
        + "".join(f"        line {n} ${{{{ run.id + '{n}' }}}}\n" for n in range(9000)),
        HEAD + "  - {uses: flow.log, with: {message: '${{ " + "[" * 30 + "1" + "]" * 30 + " }}'}}\n",
        HEAD + "  - {uses: flow.log, with: {message: \"${{ '" + "x" * 1_000_000 + "' }}\"}}",
    ],
    ids=range(20),
)
def test_hostile_pipelines_end_in_problems_or_a_workflow(text: str) -> None:
    """Long chains, wide files, deep nesting, runaway patterns and references are judged like any other file."""
    check(text)


def test_the_frame_is_what_editors_get() -> None:
    """The schema file is valid draft 2020-12, and every property of the language has a description for completion."""
    schema = json.loads(read_frame())
    Draft202012Validator.check_schema(schema)
    undescribed = [
        name
        for holder, key in list_spots(schema)
        if key == "properties"
        for name, each in holder[key].items()
        if isinstance(each, dict) and "description" not in each and "$ref" not in each
    ]
    assert undescribed == []


@pytest.mark.parametrize("text", SEEDS[:3], ids=["all", "blocks", "see"])
def test_right_files_are_right_for_editors_too(text: str) -> None:
    """Plain jsonschema, as an editor uses it, refuses nothing that the compiler takes."""
    assert list(Draft202012Validator(json.loads(read_frame())).iter_errors(yaml.safe_load(text))) == []
