"""Our evaluator gives what Google's CEL evaluator gives, wherever docs/expressions.md does not say otherwise.

The library's evaluator drops a reference to `None` for each null that it returns, so no expression here gives null.
"""

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipaas.errors import StepError
from tests.definition.expression_samples import make_compiler, place_at

SCOPE: dict[str, Any] = {
    "i": 7,
    "d": 2.5,
    "s": "Pipeline é",
    "l": [3, 1, 2],
    "t": ["b", "a"],
    "m": {"a": 1, "b": "x", "c": [1, 2], "n": {"k": True}},
    "e": [],
    "o": [{"id": "a", "n": 1}, {"id": "b", "n": 2}],
}

EXPRESSIONS = """
1 + 2 * 3 - 4
-7 / 2
-7 % 3
7 / -2
2.5 * 2.0 - 1.0
d / 0.5
-i
!(i > 5)
i > 5 && d < 3.0 || false
i == 7 && s != 'x'
dyn(1) == 1.0 && dyn(2.0) == i - 5
dyn([1, 2]) == dyn([1.0, 2.0])
dyn({'a': 1}) == dyn({'a': 1.0})
[1, 2] != [2, 1]
'a' < 'b' && 'B' < 'a'
true > false
2 in l && !(9 in l)
'a' in m && !('z' in m)
i in [7]
l + [4]
s + '!' + 'x'
l[0] + l[2]
m.a + m['a']
m.n.k ? 'yes' : 'no'
i > 100 ? 'big' : i > 5 ? 'middle' : 'small'
has(m.a) && !has(m.z)
l.map(x, x * 2)
l.map(x, x > 1, x * 2)
l.filter(x, x > 1)
l.exists(x, x == 2)
l.all(x, x > 0)
l.exists_one(x, x > 2)
e.all(x, x.missing > 1)
e.exists(x, x.missing > 1)
o.filter(x, x.n > 1).map(x, x.id)
o.map(x, o.map(y, y.n + x.n))
l.map(l, l + 1)
m.map(k, k).size()
m.exists(k, k == 'b')
[1, 'a', 3].exists(x, dyn(x) == 3)
size(s) + size(l) + size(m) + size('')
s.size()
s.contains('line')
s.startsWith('Pipe') && s.endsWith('é')
s.matches('^P.*e é$')
s.matches('z')
s.charAt(9)
s.indexOf('i')
s.indexOf('e', 4)
s.lastIndexOf('i')
s.lastIndexOf('e', 3)
s.indexOf('zz')
s.substring(4)
s.substring(0, 4)
s.replace('e', 'E')
s.replace('e', 'E', 1)
s.replace('e', 'E', 0)
s.split('e')
s.split('e', 2)
s.split('e', 1)
'abc'.split('')
''.split(',')
s.lowerAscii() + s.upperAscii()
'  x\\t\\n'.trim()
s.reverse()
t.join() + t.join('-')
e.join(',') == ''
strings.quote('a "b" \\n')
'%s|%d|%.2f|%x|%X|%o|%b|%%'.format(['é', 12, 2.345, 255, 255, 8, 5])
'%s %s %s'.format([true, 1, 'x'])
'%e'.format([12345.678])
math.greatest(1, 3, 2) + math.least([3, 1, 2])
math.greatest([2.5, 1.5])
math.ceil(1.2) + math.floor(-1.2) + math.trunc(-1.8)
math.round(2.5) + math.round(-2.5) + math.round(1.4)
math.abs(-3) + math.sign(-5)
math.abs(-1.5)
math.sqrt(16.0)
math.isNaN(1.0) || math.isInf(1.0)
math.isFinite(1.0)
math.bitAnd(12, 10) + math.bitOr(12, 10) + math.bitXor(12, 10)
math.bitNot(5)
math.bitShiftLeft(1, 10) + math.bitShiftRight(1024, 3)
math.bitShiftRight(-1024, 3)
math.bitShiftLeft(1, 64)
int('12') + int(3.9) + int(-3.9)
double('1.5') + double(2)
string(12) + string(1.5) + string(true) + string(b'abc')
string(1.0) + string(-0.25) + string(100000.0)
bool('true') && !bool('False')
type(1) == int && type(1.5) == double && type('') == string && type([]) == list && type({}) == map && type(null) == null_type
string(timestamp('2026-03-29T01:30:00Z'))
string(timestamp('2026-03-29T03:30:00.25+02:00'))
string(timestamp('2026-03-29T01:30:00Z') + duration('1h30m'))
string(timestamp('2026-03-29T01:30:00Z') - duration('36h'))
string(timestamp('2026-03-29T01:30:00Z') - timestamp('2026-03-28T00:00:00Z'))
timestamp('2026-03-29T01:30:00Z') < timestamp('2026-03-29T03:00:00+01:00')
timestamp('2026-03-29T01:30:00Z').getFullYear() + timestamp('2026-03-29T01:30:00Z').getMonth()
timestamp('2026-03-29T01:30:00Z').getDate() * 1000 + timestamp('2026-03-29T01:30:00Z').getDayOfMonth()
timestamp('2026-03-29T01:30:00Z').getDayOfWeek() * 1000 + timestamp('2026-03-29T01:30:00Z').getDayOfYear()
timestamp('2026-03-29T01:30:45.678Z').getMinutes() * 100000 + timestamp('2026-03-29T01:30:45.678Z').getSeconds() * 1000 + timestamp('2026-03-29T01:30:45.678Z').getMilliseconds()
timestamp('2026-03-29T01:30:00Z').getHours('Europe/Berlin') * 100 + timestamp('2026-03-29T00:30:00Z').getHours('Europe/Berlin')
timestamp('2026-03-29T01:30:00Z').getHours('-05:30')
int(timestamp('2026-03-29T01:30:00Z'))
string(timestamp(1774747800))
duration('90m').getHours() * 1000 + duration('90m').getMinutes()
duration('90m').getSeconds() + duration('1500ms').getMilliseconds()
string(duration('1h') + duration('-30m')) + string(duration('1.5s'))
duration('1h') > duration('59m')
m.?a.orValue(0) + m.?z.orValue(5)
m[?'a'].hasValue() && !m[?'z'].hasValue()
l[?0].orValue(0) + l[?9].orValue(9)
m.?n.k.orValue(false)
m.?n.?k.hasValue()
m.?a.optMap(x, x + 1).orValue(0)
m.?z.optMap(x, x + 1).orValue(0)
m.?n.optFlatMap(x, x.?k).orValue(false)
m.?z.or(optional.of(3)).value()
optional.of(1).value() + optional.none().orValue(2)
optional.ofNonZeroValue('').hasValue() || optional.ofNonZeroValue(1).hasValue()
[?m.?a, ?m.?z, 3]
{?'p': m.?a, ?'q': m.?z}
m.z > 1 || true
true || m.z > 1
m.z > 1 && false
[m.z > 1, true].size() > 0 || true
base64.encode(b'abc') + string(base64.decode('YWJj'))
bytes('abc') == b'abc' && size(b'abc') == 3
'\\u00e9' + '\\x41' + r'\\d' + '''a
b'''
0x1F + 1
"""


@lru_cache(maxsize=1)
def get_oracle() -> Any:
    """Return the library's own environment, with its macros and extensions."""
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_encoders, ext_math, ext_optional, ext_strings

    extensions = [ext_strings.ExtStrings(), ext_math.ExtMath(), ext_optional.ExtOptional(), ext_encoders.ExtEncoders()]
    return cel.NewEnv(variables=dict.fromkeys(SCOPE, cel.Type.DYN), extensions=extensions)


def ask_oracle(text: str) -> Any:
    """Return the library's value, or `ERROR`."""
    value = get_oracle().compile(text).eval(data=SCOPE)
    return ERROR if value.type().name() == "*error*" else value.plain_value()


ERROR = "an error"


def ask_ours(text: str) -> Any:
    """Return our value of a text whose names may be anything, or `ERROR`."""
    checked = make_compiler(SCOPE).compile(text, place_at)
    assert [str(problem) for problem in checked.problems] == []
    assert checked.expression is not None
    try:
        return checked.expression.evaluate(SCOPE)
    except StepError:
        return ERROR


@pytest.mark.parametrize("text", EXPRESSIONS.replace("a\nb'''", "a\\nb'''").strip().splitlines())
def test_both_evaluators_agree(text: str) -> None:
    """The value of a documented expression is CEL's."""
    ours, theirs = ask_ours(text), ask_oracle(text)
    assert (ours, type(ours)) == (theirs, type(theirs))


whole = st.sampled_from(["i", "l[0]", "m.a", "size(s)"]) | st.integers(0, 50).map(str)
fraction = st.sampled_from(["d", "1.5", "0.25", "double(i)"])
text = st.sampled_from(["s", "t[0]", "m.b", "'x'", "'é'", "string(i)", "''"])
items = st.sampled_from(["l", "e", "[1, 5, 9]", "[i, 2]", "m.c"])


def calls(*patterns: str, **kinds: Any) -> Any:
    """Return a strategy that fills patterns with expressions of these kinds."""
    return st.sampled_from(patterns).flatmap(
        lambda pattern: st.fixed_dictionaries(
            {name: kind for name, kind in kinds.items() if f"{{{name}" in pattern}
        ).map(lambda parts: pattern.format(**parts))
    )


def deepen(depth: int) -> Any:
    """Return strategies of whole numbers, texts, lists of whole numbers and conditions, nested that deep."""
    if depth == 0:
        return whole, fraction, text, items, st.sampled_from(["true", "false", "i > 3"])
    w, f, t, n, c = deepen(depth - 1)
    kinds = {"w": w, "v": w, "f": f, "g": f, "t": t, "u": t, "n": n, "k": n, "c": c, "b": c}
    return (
        w | calls("({w} + {v})", "({w} * {v})", "({w} - {v})", "(-({w}))", "size({n})", "size({t})", "({c} ? {w} : {v})", "math.abs({w})", "{t}.indexOf({u})", "{n}[?0].orValue({w})", "math.greatest({w}, {v})", **kinds),
        f | calls("({f} + {g})", "({f} * {g})", "({f} - {g})", "double({w})", **kinds),
        t | calls("({t} + {u})", "{t}.upperAscii()", "{t}.replace({u}, 'z')", "string({w})", "{t}.substring(0, 0)", "{t}.reverse()", "'%s-%d'.format([{t}, {w}])", "({c} ? {t} : {u})", "{t}.split('e').join('+')", **kinds),
        n | calls("({n} + {k})", "{n}.map(x, x + {w})", "{n}.filter(x, x > {w})", "{n}.map(x, x > {w}, x * 2)", "[{w}, {v}]", **kinds),
        c | calls("({w} < {v})", "({w} == {v})", "({f} >= {g})", "({t} == {u})", "({t} < {u})", "{t}.contains({u})", "({w} in {n})", "({n} == {k})", "({c} && {b})", "({c} || {b})", "!({c})", "{n}.exists(x, x == {w})", "{n}.all(x, x < {w})", "{n}.exists_one(x, x == {w})", "({w} % 5 == {v})", **kinds),
    )  # fmt: skip


ANY = st.one_of(*deepen(3))


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_both_evaluators_agree_on_anything(expression: str) -> None:
    """Nested expressions over the same values have the same value, and fail together."""
    ours, theirs = ask_ours(expression), ask_oracle(expression)
    assert (ours, type(ours)) == (theirs, type(theirs))
