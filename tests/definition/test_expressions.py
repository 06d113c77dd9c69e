"""What expressions give, and how a failing one is told."""

import gc
import json
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.definition.expressions import find_step_references, find_tested_steps
from ipaas.errors import StepError
from ipaas.model import Place
from tests.definition.expression_samples import COMPILER, compile_here, evaluate, make_compiler, place_at

ORDER = {"order": {"id": "A1", "total": 12.0, "tags": ["x", "y"], "note": None}}
EARTHQUAKES = Path(__file__).parent.parent / "data" / "usgs_all_week.geojson"

plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${{ order }}", ORDER["order"]),
        ("${{ order.tags }}\n", ["x", "y"]),
        ("order.total", 12.0),
        ("  order.total\n", 12.0),
        (" ${{ order.total }}", " 12"),
        ("Order ${{ order.id }}: ${{ order.total }}", "Order A1: 12"),
        ("${{ order.tags }}${{ order.note }}", '["x","y"]null'),
        ("at ${{ timestamp(0) }} for ${{ duration('1m') }}", "at 1970-01-01T00:00:00Z for 60s"),
        ("$${{ order.id }}", "${{ order.id }}"),
        ("a $${{ b }} ${{ order.id }}", "a ${{ b }} A1"),
        ('${{ {"a": {"b": 1}} }}', {"a": {"b": 1}}),
        ("${{ '}}' + \"}}\" }}", "}}}}"),
        ("${{ r'\\}}' }}", "\\}}"),
        ("${{ '''it's }}''' }}", "it's }}"),
        ("${{ '${' + '{ 1 }' + '}' }}", "${{ 1 }}"),
    ],
)
def test_text_with_expressions(text: str, result: object) -> None:
    """Exactly one expression keeps its type, mixed text is text, `$${{` is literal, and results are not evaluated again."""
    assert evaluate(text, ORDER) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 0.5", 1.5),
        ("2 == 2.0 && 2.0 in [1, 2] && {'a': [2]} == {'a': [2.0]}", True),
        ("true == dyn(1) || dyn(1) in [true] || dyn([true]) == dyn([1])", False),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("x / 2", 3.5),
        ("int(x / 2)", 3),
        ("size([1, 2, 3]) / 2", 1),
        ("[1, 2, 3][x - 5.0]", 3),
        ("x > 6.5 ? 'big' : 'small'", "big"),
        ("[1, 2][?5].orValue(0)", 0),
        ("has(o.a.b.c)", False),
        ("has(o.n.x)", False),
        ("has(o.n)", False),
        ("has(o.s)", True),
        ("o.?n.?x.orValue('none')", "none"),
        ("o.?missing.field.orValue('none')", "none"),
        ("o.?s", "text"),
        ("o.?missing", None),
        ("[?o.?s, ?o.?missing, 1]", ["text", 1]),
        ("{?'a': o.?s, ?'b': o.?missing}", {"a": "text"}),
        ("o.missing == 1 || true", True),
        ("true || o.missing == 1", True),
        ("o.missing == 1 && false", False),
        ("[1, 'a', 3].exists(i, i > 2)", True),
        ("[1, 'a', 0].all(i, i > 2)", False),
        ("o.map(k, k).sort_by()", ["n", "s"]),
        ("[[1], [2]].map(i, i.map(i, i + 1))", [[2], [3]]),
        ("[1, 2].map(x, x * 10) + [x]", [10, 20, 7]),
        ("type(x) == int && type(1.5) == double && type(null) == null_type", True),
        ("steps.gone.status", "skipped"),
        ("has(steps.gone.output)", False),
        ("steps['gone'].output", None),
        ("9223372036854775807 + 0", 2**63 - 1),
        ("big", 10**30),
        ("'a' + \"b\" + '''c'''", "abc"),
        ("'\\u00e9\\n'", "é\n"),
        ("o['s']", "text"),
        ("o.`s`", "text"),
    ],
)
def test_values(text: str, result: object) -> None:
    """Operators, fields and guards give what docs/expressions.md promises."""
    scope: dict[str, Any] = {"x": 7, "o": {"s": "text", "n": None}, "big": 10**30, "steps": {}}
    checked = COMPILER.with_roots({"x": {}, "o": {}, "big": {}}).compile(
        text.replace("steps.gone", "steps.orders").replace("steps['gone']", "steps['orders']"), place_at
    )
    assert [str(problem) for problem in checked.problems] == []
    assert checked.expression is not None
    found = checked.expression.evaluate(scope)
    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("o.totl", 3, "`o` has no key `totl`; its keys are `total`, `secret`", "did you mean `total`?"),
        (
            "1 + o.a.b",
            7,
            "`o` has no key `a`; its keys are `total`, `secret`",
            "ask `has(…)` first, or write `.?` and `.orValue(…)`",
        ),
        ("n.x", 3, "`x` cannot be read: `n` is null", "write `.?x` and `.orValue(…)` if that can happen"),
        ("[1][3]", 4, "there is no item 3: the list has 1", "ask `size(x)` first"),
        ("[1][-1]", 4, "there is no item -1: the list has 1", "the last is `x[size(x) - 1]`"),
        ("o.secret + 1", 10, "`+` cannot combine a text and a number", "make it a text with `string(x)`"),
        ("n > 1", 3, "`>` cannot combine null and a number", "say what null means: `x == null ? 0 : x`"),
        ("o.total / 0", 9, "a number cannot be divided by zero", "ask first"),
        ("o.total % 0", 9, "a number cannot be divided by zero", "ask first"),
        ("1.5 % o.total", 5, "`%` takes whole numbers only", "round them"),
        ("1e308 * o.total", 7, "the result is not a finite number", "JSON has no infinity"),
        ("9223372036854775807 + int(o.total)", 21, "the result does not fit into 64 bits", "compute with fractions"),
        ("o.secret ? 1 : 2", 3, "`?` needs true or false, not a text", "compare it"),
        ("l.filter(x, x.id)", 15, "`filter` needs true or false, not a text", "compare it"),
        ("l.map(x, x.missing)", 12, "`x` has no key `missing`; its keys are `id`", "ask `has(…)` first"),
        ("sum(l, x, x.id)", 1, "`sum` cannot take a text, which is item 0", "turn texts into numbers"),
        ("size(n)", 1, "`size` cannot take null", "say what null means"),
        ("n.map(x, x)", 3, "`map` goes through a list or an object, not through null", "say what null means"),
        ("{o.total: 1}", 4, "a key must be a text, not a number", "make it a text"),
        ("'a' in o.secret", 5, "`in` looks into a list or an object, not into a text", "call `text.contains(part)`"),
        (
            "timestamp('9999-12-31T23:59:59Z') + duration(o.long)",
            35,
            "the result is outside the years 1 to 9999",
            "add less",
        ),
    ],
)
def test_a_failure_names_place_cause_and_cure(text: str, column: int, message: str, hint: str) -> None:
    """A run-time failure points at the very node, says what is there, how to mend it, and shows no value."""
    scope = {"o": {"total": 12, "secret": "s3cr3t"}, "n": None, "l": [{"id": "s3cr3t"}]}
    if "o.long" in text:
        scope["o"] = {"long": "9000d"}
    with pytest.raises(StepError) as caught:
        evaluate(text, scope)
    assert caught.value.type == "expression"
    assert caught.value.message == f"p.yaml:1:{column}: {message}, in `{text}`"
    assert hint in caught.value.hint
    assert "s3cr3t" not in caught.value.message + caught.value.hint


def test_a_failure_in_mixed_text_counts_from_the_texts_beginning() -> None:
    """The place of a failing expression is found also behind other text."""
    with pytest.raises(StepError, match=r"^p\.yaml:1:31: `order` has no key `x`"):
        evaluate("${{ order.id }} and ${{ order.x }}", {"order": {"id": "1"}})


def test_only_the_names_of_an_expression_are_looked_up() -> None:
    """Nothing of the scope is read that the text does not name."""

    class Guarded(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            assert name == "a"
            return super().__getitem__(name)

    expression = make_compiler({"a": 1}).compile("a + 1", place_at).expression
    assert expression is not None
    assert expression.evaluate(Guarded(a=1, b=2)) == 2


def test_evaluation_changes_nothing() -> None:
    """The scope is the same after an evaluation, also one that fails inside a loop."""
    scope = {"x": [3, 1, 2], "i": "kept"}
    assert evaluate("sort_by(x.map(i, i * 2), i, -i)", scope) == [6, 4, 2]
    with pytest.raises(StepError):
        evaluate("x.map(i, i.missing)", scope)
    assert scope == {"x": [3, 1, 2], "i": "kept"}


def test_the_scope_is_only_read() -> None:
    """A scope that cannot be written to will do, also for loops and `optMap`, so that tasks may share one."""
    scope = MappingProxyType({"x": [3, 1], "o": {"a": 1}})
    assert evaluate("[x.map(i, i + 1), sort_by(x, i, i), [o.?a.optMap(v, v + 1).orValue(0)]]", scope) == [
        [4, 2],
        [1, 3],
        [2],
    ]


def test_a_loops_name_hides_a_root_and_gives_it_back() -> None:
    """Inside a loop its name is the item, behind it the root again."""
    assert evaluate("[[1, 2].exists(i, i == 1), i, [1].map(i, i)[0]]", {"i": "root"}) == [True, "root", 1]


@pytest.mark.parametrize(
    "text",
    ["loop.index", "[loop][0].index", "x . loop.index", "x.?loop.index", "x['loop'].index", "[5].map(loop, loop)[0]"],
)
def test_loop_is_a_name(text: str) -> None:
    """`loop` may be written wherever a name may, though CEL reserves the word."""
    assert evaluate(text, {"loop": {"index": 5}, "x": {"loop": {"index": 5}}}) == 5


def test_nulls_do_not_cost_the_process() -> None:
    """Evaluations that give null many times leave `None` as alive as it was."""
    expression = make_compiler({"x": 1}).compile("x.map(i, null)", place_at).expression
    assert expression is not None
    gc.collect()
    before = sys.getrefcount(None)
    for _ in range(2000):
        expression.evaluate({"x": [1, 2, 3, 4, 5]})
    assert sys.getrefcount(None) > before - 1000


@pytest.mark.parametrize("size", [1707, 10_001, 100_000])
def test_large_lists_can_be_filtered(size: int) -> None:
    """A condition of usual size goes through a hundred thousand items."""
    quakes = [
        {"properties": {"mag": index % 10 if index % 2 else index % 10 + 0.5, "place": "x"}} for index in range(size)
    ]
    text = "q.filter(f, f.properties.mag != null && f.properties.mag >= 4.5 && f.properties.place.contains('x')).size()"
    assert evaluate(text, {"q": quakes}) == sum(each["properties"]["mag"] >= 4.5 for each in quakes)  # type: ignore[operator]


def test_a_real_feed_mixes_whole_and_fractional_numbers() -> None:
    """Magnitudes of the earthquake feed, whole in some rows and fractional in others, are compared, sorted and added."""
    feed = json.loads(EARTHQUAKES.read_text(encoding="utf-8"))
    magnitudes = [f["properties"]["mag"] for f in feed["features"] if f["properties"]["mag"] is not None]
    assert {type(each) for each in magnitudes} == {int, float}
    scope = {"f": feed["features"]}
    strong = "f.filter(q, q.properties.mag != null && q.properties.mag >= 4.5)"
    assert evaluate(f"size({strong})", scope) == sum(each >= 4.5 for each in magnitudes)
    assert evaluate(f"sort_by({strong}, q, -q.properties.mag)[0].properties.mag", scope) == max(magnitudes)
    assert evaluate("sum(f.map(q, q.properties.mag != null, q.properties.mag))", scope) == pytest.approx(
        sum(magnitudes)
    )


def test_references_and_tests_of_steps() -> None:
    """The steps that a text names are found, in conditions those that it asks about."""
    assert find_step_references("${{ steps.a.output }} and ${{ [1].map(x, steps['b'].items) }}") == {"a", "b"}
    assert find_step_references("steps.a.output is text") == frozenset()
    assert find_step_references("steps.a.output > size(steps.b.output)", bare=True) == {"a", "b"}
    assert find_step_references("${{ steps.a. }}") == frozenset()
    assert find_tested_steps("steps.a.status == 'failed' && has(steps.b.output.x) && steps.c.output.x > 1") == {
        "a",
        "b",
    }
    assert find_tested_steps("steps.a.output != null || steps.b.?output.hasValue()") == {"a"}


def test_the_schema_of_a_result_is_known() -> None:
    """What is known of a result is a JSON Schema of its own."""
    assert compile_here("steps.orders.output.body.map(o, o.total)").schema == {
        "type": "array",
        "items": {"type": "number"},
    }
    assert compile_here("inputs.minimum > 3").schema == {"type": "boolean"}
    assert compile_here("inputs.anything").schema == {}
    assert compile_here("timestamp(run.started_at)").schema == {"type": "string", "format": "date-time"}
    assert compile_here("a ${{ inputs.minimum }}").schema == {"type": "string"}
    assert compile_here("inputs.?region.orValue(1)").schema == {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    items: Any = compile_here("steps.orders.output.body").schema["items"]
    assert "Order" in items["$defs"]  # the items' schema can stand alone


@given(plain_json)
def test_plain_json_passes_through(value: object) -> None:
    """What goes in as plain JSON comes out the same, directly, through a list, and through JSON text."""
    assert evaluate("${{ x }}", {"x": value}) == value
    assert evaluate("[x][0]", {"x": value}) == value
    assert evaluate("{'k': [x]}.k.filter(i, true)[0]", {"x": value}) == value
    assert evaluate("from_json(to_json(x)) == x", {"x": value}) is True


@given(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
def test_literals_round_trip(value: object) -> None:
    """A JSON scalar written as a literal is that value."""
    assert evaluate(json.dumps(value, ensure_ascii=False)) == value


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="$\0"), max_size=8)
        | st.integers(),
        min_size=1,
        max_size=6,
    )
)
def test_mixed_text_joins_its_parts(parts: list[object]) -> None:
    """Text around and between expressions stays as it is."""
    names = {f"v{index}": part for index, part in enumerate(parts)}
    text = "|".join(f"${{{{ {name} }}}}" for name in names) + "|"
    assert evaluate(text, names) == "|".join(str(part) for part in parts) + "|"


numbers = st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15).filter(
    lambda number: number == 0 or abs(number) > 1e-100
)


@given(numbers, numbers)
def test_arithmetic_agrees_with_python(left: float, right: float) -> None:
    """Sums, differences, comparisons and exact quotients of JSON numbers are Python's, whichever form they have."""
    scope = {"a": left, "b": right}
    assert evaluate("a + b", scope) == left + right
    assert evaluate("a - b", scope) == left - right
    assert evaluate("[a < b, a <= b, a == b, a in [b]]", scope) == [
        left < right,
        left <= right,
        left == right,
        left == right,
    ]
    assert evaluate("sort_by([a, b])", scope) == sorted([left, right])
    if right != 0:
        assert evaluate("a / b", scope) == left / right


@given(st.integers(-1000, 1000), st.integers(-1000, 1000).filter(bool))
def test_whole_division_cuts_towards_zero(left: int, right: int) -> None:
    """The quotient and remainder of whole numbers fit together, as in CEL."""
    quotient, remainder = evaluate(f"[({left}) / ({right}), ({left}) % ({right})]")
    assert quotient == int(left / right)
    assert quotient * right + remainder == left


def test_the_place_of_an_expression() -> None:
    """A compiled text knows where it stands and what it says."""
    expression = compile_here("inputs.minimum > 1").expression
    assert expression is not None
    assert (expression.place, expression.text) == (Place("p.yaml", 1, 1), "inputs.minimum > 1")
