"""The functions do what docs/expressions.md says, and it names all of them."""

import json
import re
from pathlib import Path

import pytest

from ipaas.definition.functions import MACROS, get_functions
from ipaas.errors import StepError
from tests.definition.expression_samples import evaluate

PAGE = (Path(__file__).parent.parent.parent / "docs" / "expressions.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"`([^`]+)` → `([^`]+)`")
ROW = re.compile(r"^\| `([^`]+)` \| (.*→.*) \|$", re.MULTILINE)


@pytest.mark.parametrize(("text", "result"), EXAMPLE.findall(PAGE))
def test_every_documented_example_gives_its_result(text: str, result: str) -> None:
    """What stands before the arrow evaluates to the JSON behind it."""
    assert evaluate(text) == json.loads(result)


def test_every_function_is_documented_with_an_example_that_calls_it() -> None:
    """The page has a row for each function and macro, and no row for others."""
    rows = dict(ROW.findall(PAGE))
    special = {"or", "orValue"}
    assert set(rows) == set(get_functions()) | set(MACROS) | special
    assert [name for name, text in rows.items() if f"{name}(" not in text] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a'.charAt(2)", "position 2 is outside the text, which has 1"),
        ("'abc'.substring(2, 1)", "the part begins at 2, behind its end at 1"),
        ("['a', 1].join()", "`join` cannot take a number, which is item 1"),
        ("'%d'.format(['x'])", "`%d` cannot show a text"),
        ("'%s %s'.format([1])", "the text has more `%` than there are values"),
        ("'%q'.format([1])", "`%q` is not known in `format`"),
        ("'100%'.format([])", "the text ends behind `%`"),
        ("int('12x')", "the text is not a whole number"),
        ("int(1e30)", "the result does not fit into 64 bits"),
        ("double('nan')", "the text is not a number"),
        ("bool('yes')", "the text is neither `true` nor `false`"),
        ("timestamp('29.03.2026')", "the text is not a timestamp such as `2026-03-29T01:30:00Z`"),
        ("timestamp('2026-02-30T00:00:00Z')", "the text is not a timestamp such as `2026-03-29T01:30:00Z`"),
        ("timestamp(1e15)", "the number is no instant between the years 1 and 9999"),
        ("duration('5')", "the text is not a duration such as `1h30m` or `90s`"),
        ("format_time(0, '%Q')", "`%Q` is not known in a time format"),
        ("format_time(0, '%Y', '../../etc/passwd')", "there is no such time zone"),
        ("parse_time('x', '%Y')", "the text does not have this time format"),
        ("from_json('{')", "the text is not JSON, at line 1, column 1"),
        ("from_json('NaN')", "the text is not JSON, at line 1, column 1"),
        ("base64_decode('$$$')", "the text is not Base64"),
        ("base64_decode('/w==')", "the bytes are not UTF-8 text"),
        ("math.greatest([])", "`math.greatest` needs at least one number, and the list is empty"),
        ("math.least([1, null])", "`math.least` cannot take null, which is item 1"),
        ("math.sqrt(-1)", "a negative number has no square root"),
        ("math.bitAnd(1.5, 1)", "a whole number is needed here, without a fraction"),
        ("sum([1, 'x'])", "`sum` cannot take a text, which is item 1"),
        ("sort_by([1, 'x'])", "`sort_by` cannot compare a number with a text"),
        ("sort_by([{'a': 1}])", "`sort_by` cannot order by an object"),
        ("sort_by([1], 'a')", "item 0 has no field `a`: it is a number"),
        ("range(200000)", "`range` gives at most 100,000 numbers"),
        ("slice([1], -1)", "position -1 is outside the list, which has 1"),
        ("optional.none().value()", "the optional value is not there"),
        ("bytes('a')", "bytes are not JSON"),
        ("dyn('(').matches(dyn('('))", "the pattern is not a regular expression: unclosed group"),
    ],
)
def test_a_function_says_what_it_cannot_do(text: str, message: str) -> None:
    """A run-time failure is a `StepError` of type `expression` with a place, a message and a cure."""
    with pytest.raises(StepError) as caught:
        evaluate(text.replace("['a', 1]", "dyn(['a', 1])"))
    assert caught.value.type == "expression"
    assert caught.value.message.startswith("p.yaml:1:")
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("sort_by([2, null, 1.5])", [1.5, 2, None]),
        ("sort_by([{'k': 'b', 'n': 1}, {'k': 'a', 'n': 2}, {'k': 'b', 'n': 3}], 'k').map(x, x.n)", [2, 1, 3]),
        ("[{'a': 2}, {'a': 1}].sort_by(x, x.a)", [{"a": 1}, {"a": 2}]),
        ("sort_by(['b', 'a'], x, timestamp(x == 'a' ? 0 : 1))", ["a", "b"]),
        ("unique([true, 1, 1.0, '1', null, null, {'a': 1}, {'a': 1.0}])", [True, 1, "1", None, {"a": 1}]),
        ("sum([])", 0),
        ("sum([0.1, 0.2, 0.3, -0.3, -0.2, -0.1])", 0.0),
        ("sum([9007199254740993, 1])", 9007199254740994),
        ("sum([{'a': {'n': 1}}, {'a': {'n': 2}}], 'a.n')", 3),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("'a'.split(',', 0)", []),
        ("math.round(-2.5)", -3),
        ("math.round(0.49999999999999994)", 0),
        ("math.bitShiftLeft(1, 63)", -(2**63)),
        ("math.bitShiftRight(-1, 60)", 15),
        ("duration('-1.5s')", "-1.500s"),
        ("duration('-500ms')", "-0.500s"),
        ("duration('2d')", "172800s"),
        ("timestamp('2026-03-29T03:30:00.123456789+02:00')", "2026-03-29T01:30:00.123456Z"),
        ("timestamp('2026-03-29T01:30:00Z') - timestamp('2026-03-29T00:00:00Z')", "5400s"),
        ("parse_time('2026-03-29')", "2026-03-29T00:00:00Z"),
        ("format_time(0, '%H:%M', '+05:30')", "05:30"),
        ("to_json({'b': 2.0, 'a': [1.5, 'é']})", '{"b":2,"a":[1.5,"é"]}'),
        ("base64_decode('YW\\nJj')", "abc"),
        ("string(2.0) + string(-0.5) + string(1e21)", "2-0.51e+21"),
        ("'%s %x %b %e'.format([[1, 2.0], 255, 5, 12345.678])", "[1,2] ff 101 1.234568e+04"),
        ("string(b'abc') + string(true)", "abctrue"),
    ],
)
def test_the_finer_points_of_functions(text: str, result: object) -> None:
    """Functions behave at their edges as documented."""
    found = evaluate(text)
    assert found == result
    assert type(found) is type(result) or isinstance(result, (int, float))
