"""Hostile text and hostile values cost little, crash nothing, and end in a located problem or a `StepError`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipaas.errors import StepError
from tests.definition.expression_samples import compile_here, evaluate, make_compiler, place_at

ROOT = Path(__file__).parent.parent.parent

TEXTS = {
    "a MiB of sums": "1+" * 524288,
    "many items": "[" + ",".join(["1"] * 4900) + "]",
    "many unknown names": "[" + ",".join(f"zz{index}" for index in range(1500)) + "]",
    "many ors": " || ".join(["inputs.minimum > 1"] * 400),
    "many nots": "!" * 9990 + "true",
    "many minuses": "-" * 9990 + "1",
    "open parentheses": "(" * 10000,
    "open brackets": "[" * 10000,
    "open braces": "{" * 10000,
    "closing braces": "}" * 10000,
    "many quotes": "'\"" * 5000,
    "many triple quotes": "'''" * 3333,
    "many backticks": "`" * 10000,
    "many conditions": "a?" * 5000,
    "a long path": "a" + ".a" * 4999,
    "a long sum": "1" + "+1" * 4999,
    "nested loops": "[1].map(x," * 1000,
    "backslashes": "\\" * 10000,
    "digits": "9" * 10000,
    "letters beyond the plane": "'" + "😀" * 9000 + "'",
    "open expressions": "${{" * 3000,
    "escaped expressions": "$${{" * 2500,
    "many expressions": "${{1}}" * 1600,
    "reserved words": "loop " * 2000,
    "line ends": "\n" * 9999 + "+",
    "NUL": "a\0b",
    "NUL in quotes": "'a\0b'",
    "half a pair": "'\ud800'",
    "half a pair, escaped": "'\\ud800'",
    "control characters": "\x01\x02\x1b[0m",
    "no number": "1e999",
}


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_text_is_a_value_or_a_located_problem(name: str) -> None:
    """No text raises, and every problem has a place, words and at most twenty fellows."""
    checked = compile_here(TEXTS[name])
    assert (checked.expression is None) == bool(checked.problems)
    assert len(checked.problems) <= 20
    assert all(problem.message and problem.place.column >= 1 for problem in checked.problems)


@pytest.mark.parametrize(
    "text",
    [
        "r.map(a, r.map(b, r.map(c, r.map(d, a + b + c + d))))",
        "r.all(a, r.all(b, r.all(c, r.all(d, true))))",
        "r.filter(a, r.exists(b, r.exists(c, r.exists(d, false))))",
        "r.exists(a, r.map(b, r.map(c, r.map(d, d))).size() < 0) || true",
        "sum(r.map(a, sum(r.map(b, sum(r.map(c, sum(r)))))))",
        "sort_by(r.map(a, r.map(b, r.map(c, sort_by(r)))), x, 1)",
        "[[s]].map(a, [a, a, a, a, a, a, a, a])" + ".map(a, [a, a, a, a, a, a, a, a])" * 12,
        "to_json([[s]].map(a, [a, a, a, a, a, a, a, a])" + ".map(a, [a, a, a, a, a, a, a, a])" * 12 + ")",
        "[[s]]"
        + ".map(a, [a, a, a, a, a, a, a, a])" * 12
        + " == [['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']]"
        + ".map(a, [a, a, a, a, a, a, a, a])" * 12,
        "unique([[s]]" + ".map(a, [a, a, a, a, a, a, a, a])" * 12 + ")",
        "[s].map(a, a + a)" + ".map(a, a + a)" * 24,
        "s" + ".replace('x', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')" * 10,
        "r.map(a, s + s).map(a, r.map(b, a + a).join())" + ".map(a, r.map(b, a).join())" * 3,
        "[s].map(a, '%s%s%s%s'.format([a, a, a, a]))" + ".map(a, '%s%s%s%s'.format([a, a, a, a]))" * 14,
        "range(100000).map(a, range(100000))",
        "[r].map(a, flatten([a, a, a, a, a]))" + ".map(a, flatten([a, a, a, a, a]))" * 10,
        "[1, 2].map(a, base64_encode(s))" + ".map(a, base64_encode(a + a + a))" * 14,
        "[{'k': s}].map(m, merge(m, {'a': m}))" + ".map(m, {'a': m, 'b': m, 'c': m})" * 14,
        "timestamp(0).getFullYear() > 0 ? r.map(a, r.map(b, r.map(c, format_time(c, '%A %B %Y')))) : []",
    ],
)
def test_a_small_expression_cannot_cost_much(text: str) -> None:
    """Whatever grows, in time, text or shared structure, ends by the budget with a cure."""
    with pytest.raises(
        StepError, match=r"^p\.yaml:1:\d+: the expression needs more than 5,000,000 operations"
    ) as caught:
        evaluate(text, {"r": list(range(300)), "s": "x" * 50})
    assert caught.value.hint


def test_a_decisive_side_does_not_hide_the_budget() -> None:
    """`||` forgives an error, not an evaluation without end."""
    loop = "r.all(a, r.all(b, r.all(c, r.all(d, true))))"
    with pytest.raises(StepError, match="operations"):
        evaluate(f"{loop} || true", {"r": list(range(100))})


def test_a_pattern_cannot_run_away() -> None:
    """Patterns are matched in linear time."""
    assert evaluate("s.matches(p)", {"s": "a" * 100_000 + "b", "p": "^(a+)+$"}) is False


def nest(depth: int, leaf: Any) -> Any:
    value = leaf
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "text",
    ["x == y", "to_json(x)", "[x].map(i, i)", "unique([x, y])", "x in [y]", "'a ${{ x }}'", "flatten(x) == flatten(y)"],
)
def test_values_that_are_nested_too_deeply_are_an_error(text: str) -> None:
    """A value deeper than any step may return fails the expression and nothing more."""
    with pytest.raises(StepError, match="nested"):
        evaluate(
            text if text.startswith(("x", "[", "u", "t", "f")) else text[1:-1],
            {"x": nest(100_000, 1), "y": nest(100_000, 2)},
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("big * 1.5", "a number or a text is too large"),
        ("big + 1", "the result does not fit into 64 bits"),
        ("double(big)", "the number is too large for a fraction"),
        ("big / 7.0", "a number or a text is too large"),
        ("duration('999999999999999999d')", "the duration is too long"),
        ("timestamp('9999-12-31T23:59:59Z').getFullYear('+23:00')", "the time is outside the years 1 to 9999 there"),
        ("[opaque].map(i, i)", "a value of the Python type `object` is not JSON"),
        ("[opaque] == [1]", "a value of the Python type `object` is not JSON"),
    ],
)
def test_impossible_values_are_an_error(text: str, message: str) -> None:
    """Numbers beyond reason and values that are not JSON fail the expression and nothing more."""
    with pytest.raises(StepError, match=r"^p") as caught:
        evaluate(f"[{text}]", {"big": 10**400, "opaque": object()})
    assert message in caught.value.message


FUZZ = """
import random, sys
from ipaas.errors import StepError
from tests.definition.expression_samples import make_compiler, place_at
words = '''a b inputs steps .x .?y [0] [?1] ["k"] ( ) [ ] { } , : ? + - * / % == != < > in && || ! "t" 'u' r"v" 1 2.5 -3 1e3 null true
.map(i, .filter(i, .exists(i, .all(i, has( size( sum( sort_by( unique( to_json( from_json( timestamp( duration( string( int( double(
.orValue( .optMap(i, .join( .split(",") .format( .matches( i loop math.abs( optional.of( optional.none() ${{ }} \\n \\t \\" \\\\ é 😀 `k` b"w"
0x1F 1u // @ $ # ; '''.split()
scope = {"a": [1, 2.5, None, {"k": "v"}], "b": {"x": {"y": 1}, "k": [True]}, "inputs": {"x": "t"}, "steps": {}, "loop": {"index": 1}}
compiler = make_compiler(scope)
source = random.Random(7)
evaluated = 0
for _ in range(6000):
    text = source.choice(["", " "]).join(source.choice(words) for _ in range(source.randint(1, 12)))
    checked = compiler.compile(text, place_at)
    assert (checked.expression is None) == bool(checked.problems), text
    if checked.expression is not None:
        try:
            checked.expression.evaluate(scope)
            evaluated += 1
        except StepError as error:
            assert error.type == "expression", text
print(evaluated)
"""


def test_random_text_never_takes_the_process_down() -> None:
    """Six thousand random texts are read, checked and evaluated in a process of their own, which survives."""
    done = subprocess.run([sys.executable, "-c", FUZZ], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 50


def test_compiled_expressions_are_shared_between_threads() -> None:
    """One compiled expression gives each of many threads its own result."""
    import threading

    expression = make_compiler({"x": []}).compile("x.map(i, i * 2).filter(i, i > x[0]).size()", place_at).expression
    assert expression is not None
    found: dict[int, Any] = {}

    def run(number: int) -> None:
        scope = {"x": list(range(number, number + 200))}
        found[number] = {expression.evaluate(scope) for _ in range(20)}

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: {sum(2 * i > number for i in range(number, number + 200))} for number in range(1, 9)}
