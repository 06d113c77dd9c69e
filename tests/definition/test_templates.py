"""Values with expressions in them are compiled, checked against what receives them, and evaluated."""

from __future__ import annotations

from typing import Any

import pytest

from ipaas.definition.nodes import Mapping
from ipaas.definition.source import read_source
from ipaas.definition.templates import CheckedTemplate, compile_template
from ipaas.errors import StepError
from ipaas.model import Deferred, Place, Schema
from tests.definition.expression_samples import COMPILER

POST: Schema = {
    "type": "object",
    "properties": {
        "channel": {"type": "string"},
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "rate": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "level": {"enum": ["info", "warning"]},
        "where": {"type": "string", "x-ipaas-expression": ["item", "index"]},
        "aggregate": {"type": "object", "additionalProperties": {"type": "string", "x-ipaas-expression": ["item"]}},
        "paginate": {"anyOf": [{"$ref": "#/$defs/Pages"}, {"type": "null"}]},
        "any": {},
    },
    "required": ["channel", "text"],
    "$defs": {
        "Pages": {
            "type": "object",
            "properties": {"next": {"type": "string", "x-ipaas-expression": ["page"]}, "max": {"type": "integer"}},
            "required": ["next"],
            "additionalProperties": False,
        }
    },
}

SCOPE: dict[str, Any] = {"inputs": {"minimum": 4, "region": "eu", "note": None, "anything": {"a": [1]}}, "steps": {}}


def check(text: str, schema: Schema | None = POST) -> CheckedTemplate:
    source = read_source(text, "p.yaml")
    assert source.problems == ()
    assert isinstance(source.root, Mapping)
    return compile_template(source.root, source, COMPILER, place=Place("p.yaml"), schema=schema, subject="`chat.post`")


def fill(text: str, schema: Schema | None = POST) -> dict[str, Any]:
    checked = check(text, schema)
    assert [str(problem) for problem in checked.problems] == []
    assert checked.template is not None
    return checked.template.evaluate(SCOPE)


def tell(text: str) -> list[tuple[str, str, str]]:
    return [(f"{p.place.line}:{p.place.column}", p.code, p.message) for p in check(text).problems]


def test_a_template_is_filled_in() -> None:
    """Literals stay, whole expressions keep their type, mixed text is text, at any depth."""
    text = """
channel: "#sales"
text: "from ${{ inputs.region }}: $${{ x }}"
count: ${{ inputs.minimum }}
tags: [a, "${{ inputs.region }}"]
any: {deep: [{"x": "${{ inputs.anything }}"}], plain: [1, null, true]}
"""
    assert fill(text) == {
        "channel": "#sales",
        "text": "from eu: ${{ x }}",
        "count": 4,
        "tags": ["a", "eu"],
        "any": {"deep": [{"x": {"a": [1]}}], "plain": [1, None, True]},
    }


def test_literals_are_new_each_time() -> None:
    """What a receiver does to a list does not change the workflow."""
    template = check("{channel: a, text: b, any: {l: [1]}}").template
    assert template is not None
    first: Any = template.evaluate(SCOPE)["any"]
    first["l"].append(2)
    assert template.evaluate(SCOPE)["any"] == {"l": [1]}


def test_parameters_that_ask_for_an_expression_get_one() -> None:
    """Such a literal, bare or wrapped, anywhere in the schema, is compiled with its extra names and bound to the scope."""
    text = """
channel: a
text: b
where: item.total > inputs.minimum && index < 9
aggregate: {total: "sum(item, i, i.n)", first: "${{ item[0].n }}"}
paginate: {next: page.body.next, max: 3}
"""
    found = fill(text)
    where, total, first, following = (
        found["where"],
        found["aggregate"]["total"],
        found["aggregate"]["first"],
        found["paginate"]["next"],
    )
    assert all(isinstance(each, Deferred) for each in (where, total, first, following))
    assert (where.text, where(item={"total": 5}, index=0), where(item={"total": 3}, index=0)) == (
        "item.total > inputs.minimum && index < 9",
        True,
        False,
    )
    assert (total(item=[{"n": 1}, {"n": 2}]), first(item=[{"n": 1}])) == (3, 1)
    assert following(page={"body": {"next": "x"}}) == "x"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{chanel: a, text: b}", [("1:2", "unknown-input", "`chat.post` has no input `chanel`")]),
        ("{channel: a, text: 3}", [("1:20", "wrong-type", "`text` of `chat.post`: `3` is not of type `string`")]),
        ("{channel: a, text: b, level: inof}", [("1:30", "bad-value", "`level` of `chat.post`: `inof` is not one of `info`, `warning`")]),
        ('{channel: a, text: "${{ inputs.minimum }}"}', [("1:20", "wrong-type", "`text` of `chat.post` must be a text, and `${{ inputs.minimum }}` is a number")]),
        ('{channel: a, text: "${{ inputs.minimun }}"}', [("1:32", "unknown-field", "there is no input `minimun`")]),
        ('{channel: a, text: b, count: "x${{ inputs.minimum }}"}', [("1:30", "wrong-type", "`count` of `chat.post` must be a whole number, and `x${{ inputs.minimum }}` is a text")]),
        ('{channel: a, text: b, tags: "${{ inputs.region }}"}', [("1:29", "wrong-type", "`tags` of `chat.post` must be a list whose items are a text, and `${{ inputs.region }}` is a text")]),
        ('{channel: a, text: b, tags: "${{ [1, 2] }}"}', [("1:29", "wrong-type", "`tags` of `chat.post` must be a list whose items are a text, and `${{ [1, 2] }}` is a list")]),
        ('{channel: a, text: b, tags: ["${{ inputs.minimum }}", 3]}', [("1:30", "wrong-type", "`tags[0]` of `chat.post` must be a text, and `${{ inputs.minimum }}` is a number"), ("1:55", "wrong-type", "`tags[1]` of `chat.post`: `3` is not of type `string`")]),
        ('{channel: [1, "${{ inputs.region }}"], text: b}', [("1:11", "wrong-type", "`channel` of `chat.post` must be a text, not a list")]),
        ('{channel: {a: "${{ inputs.region }}"}, text: b}', [("1:11", "wrong-type", "`channel` of `chat.post` must be a text, not an object")]),
        ("{channel: a, text: b, where: itm.total > 3}", [("1:30", "unknown-name", "there is no `itm` here")]),
        ("{channel: a, text: b, paginate: {nxt: page.x, max: x}}", [("1:34", "unknown-input", "`paginate` of `chat.post` has no field `nxt`"), ("1:52", "wrong-type", "`paginate.max` of `chat.post`: `x` is not of type `integer`")]),
        ('{channel: a, text: b, level: "${{ \'inof\' }}"}', [("1:30", "wrong-type", "`level` of `chat.post` must be one of `info`, `warning`, and `${{ 'inof' }}` is a text")]),
        ('{channel: a, text: b, rate: "${{ inputs.region }}"}', [("1:29", "wrong-type", "`rate` of `chat.post` must be a number or null, and `${{ inputs.region }}` is a text")]),
    ],
)  # fmt: skip
def test_what_cannot_fit_is_found(text: str, problems: list[tuple[str, str, str]]) -> None:
    """Unknown and missing inputs, literals of the wrong type, and expressions that can never fit are problems."""
    assert tell(text) == problems


@pytest.mark.parametrize(
    "text",
    [
        '{channel: "${{ inputs.note }}", text: "${{ inputs.anything }}"}',
        '{channel: a, text: "${{ timestamp(run.started_at) }}", count: "${{ inputs.rate }}"}',
        '{channel: a, text: b, rate: "${{ inputs.?rate }}"}',
        "{channel: a, text: b, tags: \"${{ [] }}\", paginate: \"${{ {'next': 'x'} }}\"}",
        '{channel: a, text: b, tags: "${{ inputs.anything }}", paginate: null}',
        '{channel: a, text: "${{ inputs.note }}", level: "${{ inputs.region }}"}',
    ],
)
def test_what_may_fit_is_let_through(text: str) -> None:
    """What could turn out right is left to the check at run time."""
    assert tell(text) == []


def test_nothing_at_all_is_an_empty_object() -> None:
    """A step without `with` lacks what is required, at the given place, and else gets no inputs."""
    source = read_source("a: 1", "p.yaml")
    place = Place("p.yaml", 7, 3)
    missing = compile_template(None, source, COMPILER, place=place, schema=POST, subject="`chat.post`").problems
    assert [(p.place, p.message) for p in missing] == [
        (place, "`chat.post` needs the input `channel`"),
        (place, "`chat.post` needs the input `text`"),
    ]
    template = compile_template(None, source, COMPILER, place=place).template
    assert template is not None
    assert template.evaluate(SCOPE) == {}


def test_without_a_schema_anything_goes_and_the_result_is_typed() -> None:
    """The outputs of a workflow take any name, and their schema says what is known of them."""
    checked = check('{sent: "${{ inputs.minimum }}", who: [a, "${{ inputs.region }}"], n: 1}', None)
    assert checked.problems == ()
    assert checked.schema["properties"] == {
        "sent": {"type": "integer"},
        "who": {"type": "array", "items": {"type": "string"}},
        "n": {"type": "number"},
    }


def test_the_form_that_fits_best_is_meant() -> None:
    """In a union of objects the problems are those of the form that was probably meant."""
    union: Schema = {
        "type": "object",
        "properties": {
            "page": {
                "anyOf": [
                    {"type": "object", "properties": {"cursor": {"type": "string"}, "size": {"type": "integer"}}, "required": ["cursor"], "additionalProperties": False},
                    {"type": "object", "properties": {"offset": {"type": "integer"}}, "required": ["offset"], "additionalProperties": False},
                ]
            }
        },
    }  # fmt: skip
    text = '{page: {cursor: "${{ inputs.minimum }}", size: 3}}'
    assert [p.message for p in check(text, union).problems] == [
        "`page.cursor` of `chat.post` must be a text, and `${{ inputs.minimum }}` is a number"
    ]


def test_a_failure_at_run_time_has_the_place_of_the_leaf() -> None:
    """The place is that of the expression's node in the file."""
    template = check('channel: a\ntext: "x ${{ inputs.anything.b.c }}"').template
    assert template is not None
    with pytest.raises(StepError, match=r"^p\.yaml:2:30: `inputs\.anything` has no key `b`"):
        template.evaluate(SCOPE)
