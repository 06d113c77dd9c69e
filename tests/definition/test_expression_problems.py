"""Every mistake in an expression is a problem with its place, in plain words, with a way to mend it."""

import pytest

from ipaas.definition.expressions import ExpressionCompiler, Names
from tests.definition.expression_samples import COMPILER, NAMES, compile_here, place_at

NO_STEP_HINT = "write `steps.maybe.output.?field.orValue(…)`, or ask first: `has(steps.maybe.output) ? … : …`"


@pytest.mark.parametrize(
    ("text", "column", "code", "message", "hint"),
    [
        # names
        ("input.minimum", 1, "unknown-name", "there is no `input` here", "did you mean `inputs`?"),
        ("minimum > 3", 1, "unknown-name", "there is no `minimum` here", "write `inputs.minimum`"),
        ("orders.output", 1, "unknown-name", "there is no `orders` here", "write `steps.orders.output`"),
        ("secrets.token", 1, "unknown-name", "there is no `secrets`: only `credential:` reaches a secret", "name a stored credential under `credential:` of the step that needs it"),
        ("None", 1, "unknown-name", "there is no `None` here", "write `null`"),
        ("env.HOME", 5, "unknown-field", "the environment variable `HOME` is not one that pipelines may read", ""),
        # steps
        ("steps.order.output", 7, "unknown-step", "there is no step `order`", "did you mean `orders`?"),
        ("steps['order'].output", 6, "unknown-step", "there is no step `order`", "did you mean `orders`?"),
        ("steps.late.output", 7, "unreachable-step", "step `late` cannot be used here: it runs later", "move it before this step, or this one behind it"),
        ("[1].map(x, steps.left.output)", 18, "unreachable-step", "step `left` cannot be used here: it is in the sibling branch `left`", ""),
        ("to_json(steps)", 9, "unknown-step", "which step is meant must be written out", "write `steps.<id>.output`: a reference decides what runs first"),
        ("steps[item]", 1, "unknown-step", "which step is meant must be written out", "write `steps.<id>.output`: a reference decides what runs first"),
        ("steps.maybe.output.status", 13, "maybe-missing", "`steps.maybe.output` may be missing: step `maybe` has an `if`", NO_STEP_HINT),
        ("steps.maybe['output']", 12, "maybe-missing", "`steps.maybe.output` may be missing: step `maybe` has an `if`", NO_STEP_HINT),
        ("has(steps.orders.output) ? steps.maybe.output.status : 0", 40, "maybe-missing", "`steps.maybe.output` may be missing: step `maybe` has an `if`", NO_STEP_HINT),
        ("steps.orders.body", 14, "unknown-field", "`steps.orders` has no field `body`", "write `steps.orders.output.body`"),
        ("steps.orders.items", 14, "unknown-field", "`steps.orders` has no field `items`", "only a step with `for_each` has `items`"),
        ("steps.orders.status == 'suceeded'", 24, "wrong-value", "`suceeded` is none of its values", "did you mean `succeeded`?"),
        # fields
        ("inputs.minimun", 8, "unknown-field", "there is no input `minimun`", "did you mean `minimum`?"),
        ("steps.orders.output.body[0].totl", 29, "unknown-field", "`steps.orders.output.body[0]` has no field `totl`", "did you mean `total`?"),
        ("steps.orders.output.body.map(o, o.totl)", 35, "unknown-field", "`o` has no field `totl`", "did you mean `total`?"),
        ("steps.orders.output.body[?0].totl", 30, "unknown-field", "`steps.orders.output.body[?0]` has no field `totl`", "did you mean `total`?"),
        ("steps.each.items[0].output.tz", 28, "unknown-field", "`steps.each.items[0].output` has no field `tz`", "did you mean `ts`?"),
        ("steps.orders.output.body.id", 26, "unknown-field", "`steps.orders.output.body` is a list and has no field `id`", "take one item, such as `[0]`, or go through all with `.map(x, …)`"),
        ("inputs.region.name", 15, "unknown-field", "`inputs.region` is a text and has no field `name`", ""),
        ("inputs['minimun']", 8, "unknown-field", "there is no input `minimun`", "did you mean `minimum`?"),
        # operators
        ("inputs.region + 1", 15, "wrong-type", "`+` cannot combine a text and a number", "make it a text with `string(x)`"),
        ("inputs.region > 1", 15, "wrong-type", "`>` cannot combine a text and a number", "make the text a number with `int(x)` or `double(x)`"),
        ("1 == 'a'", 3, "wrong-type", "a number and a text are never equal", "make the text a number with `int(x)` or `double(x)`"),
        ("1 != 'a'", 3, "wrong-type", "a number and a text are always different", "make the text a number with `int(x)` or `double(x)`"),
        ("'a' in [1]", 5, "wrong-type", "a text is never equal to an item, which is a number", "make it a number with `int(x)` or `double(x)`"),
        ("'a' in inputs.region", 5, "wrong-type", "`in` looks into a list or an object, not into a text", "call `text.contains(part)`"),
        ("!inputs.region", 9, "wrong-type", "`!` needs true or false, not a text", "compare it: `x != null`, `x > 0`, `size(x) > 0`"),
        ("inputs.region && true", 8, "wrong-type", "`&&` needs true or false, not a text", "compare it: `x != null`, `x > 0`, `size(x) > 0`"),
        ("inputs.minimum ? 1 : 2", 8, "wrong-type", "`?` needs true or false, not a number", "compare it: `x != null`, `x > 0`, `size(x) > 0`"),
        ("-inputs.region", 1, "wrong-type", "`-` cannot take a text", "make it a number with `int(x)` or `double(x)`"),
        ("inputs.?region + 'a'", 16, "wrong-type", "`+` cannot combine an optional value and a text", "write `.orValue(…)` behind the optional value"),
        ("{} + {}", 4, "wrong-type", "`+` cannot combine an object and an object", "join objects with `merge(a, b)`"),
        ("[1]['a']", 5, "wrong-type", "a position in a list is a whole number, not a text", ""),
        ("inputs.region[0]", 14, "wrong-type", "`[…]` looks into a list or an object, not into a text", "call `text.charAt(i)` or `text.substring(a, b)`"),
        ("{1: 2}", 2, "wrong-type", "a key must be a text, not a number", "put it in quotes"),
        ("1e999", 1, "bad-expression", "the number is too large", "JSON has no infinity"),
        # functions and macros
        ("inputs.region.toUper()", 15, "unknown-function", "there is no function `toUper`", "docs/expressions.md lists all functions"),
        ("inputs.region.trimm()", 15, "unknown-function", "there is no function `trimm`", "did you mean `trim`?"),
        ("len(inputs.region)", 1, "unknown-function", "there is no function `len`", "call `size(x)`"),
        ("math.max([1])", 6, "unknown-function", "there is no function `math.max`", "call `math.greatest(x)`"),
        ("greatest(1, 2)", 1, "unknown-function", "there is no function `greatest`", "did you mean `math.greatest`?"),
        ("now()", 1, "unknown-function", "there is no function `now`", "take `run.started_at`: a result must not change when a run is resumed"),
        ("size(3)", 1, "wrong-type", "`size` cannot take a number", "make it a text with `string(x)`"),
        ("run.started_at.getHours()", 16, "wrong-type", "`getHours` cannot take a text", "make it a timestamp with `timestamp(x)`"),
        ("contains(inputs.region, 'a')", 1, "bad-call", "`contains` is not called like this", "write `inputs.region.contains(…)`"),
        ("inputs.minimum.int()", 16, "bad-call", "`int` is not called like this", "write `int(inputs.minimum)`"),
        ("inputs.region.substring()", 15, "bad-call", "`substring` takes 1 to 2 values, not 0", "write `string.substring(number, number?)`"),
        ("'a'.matches('(')", 13, "bad-pattern", "the pattern is not a regular expression: unclosed group", "the syntax is RE2's, without look-around"),
        ("[1].map(1, 2)", 9, "bad-call", "`map` needs a name for each item first", "write `list.map(x, value)` or `list.map(x, condition, value)`"),
        ("[1].filter(x)", 5, "bad-call", "`filter` is not called like this", "write `list.filter(x, condition)`"),
        ("[1].map(steps, 1)", 9, "bad-call", "an item cannot be called `steps`", "take another name, such as `x`"),
        ("inputs.region.map(x, x)", 15, "wrong-type", "`map` goes through a list or an object, not through `inputs.region`, which is a text", ""),
        ("[1].filter(x, x)", 15, "wrong-type", "`filter` needs true or false, not a number", "compare it: `x != null`, `x > 0`, `size(x) > 0`"),
        ("has(inputs)", 1, "bad-call", "`has` takes a path that ends with a field", 'write `has(path.field)`, or `"key" in object` for a key with other signs'),
        ("inputs.minimum.orValue(1)", 16, "wrong-type", "`orValue` needs an optional value before it, not a number", "write `.?` before the field that may be missing: `a.?b.orValue(c)`"),
        ("sum(steps.orders.output.body, o, o.id)", 36, "wrong-type", "`sum` adds numbers, not a text", "make it a number with `int(x)` or `double(x)`"),
        ("sort_by(steps.orders.output.body, o, o)", 38, "wrong-type", "`sort_by` cannot order by an object", "give a number, a text or a timestamp"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_found(text: str, column: int, code: str, message: str, hint: str) -> None:
    """One mistake is one problem, at the very word, with the nearest name or the cure."""
    problems = [(p.place.column, p.code, p.message, p.hint) for p in compile_here(text).problems]
    assert problems == [(column, code, message, hint)]


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("", 1, "the expression is empty", "write a value, such as `inputs.name`"),
        ("a = 1", 3, "`=` is not expected here", "write `==` to compare"),
        ("a === 1", 5, "`===` is not an operator", "write `==`"),
        ("a and b", 3, "`and` is not expected here", "write `&&`"),
        ("not a", 5, "`a` is not expected here", "write `!`"),
        ("'a' if b else 'c'", 5, "`if` is not expected here", "write `condition ? value : other`"),
        ("a | upper", 3, "`|` is not expected here", "write `||` for “or”, or call a function: `size(x)` instead of `x | size`"),
        ("a ? b", 6, "`:` is missing", "write `condition ? value : other`"),
        ("a[1", 4, "`]` is missing", "close it with `]`"),
        ("{'a': 1", 8, "`}` is missing", "close it with `}`"),
        ("size(a", 7, "`)` is missing", "close it with `)`"),
        ("a +", 4, "the expression ends too early", "write what comes behind the last sign"),
        ("'abc", 1, "the text that begins here is not closed", "close it with `'`; a text over several lines has three quotes"),
        ("'\\d'", 2, "`\\d` is not an escape", "write `\\\\` for a backslash, or put `r` before the quote"),
        ("a.in", 3, "`in` is not expected here", "put a field of this name in backticks: ``x.`in` ``"),
        ("if", 1, "`if` cannot be a name", "write `condition ? value : other`"),
        ("'a' 'b'", 5, "`'b'` is not expected here", "join texts with `+`"),
        ("x[1:2]", 4, "`:` is not expected here", "take a part with `slice(list, from, to)` or `text.substring(from, to)`"),
        ("$x", 1, "`$` is not expected here", "names stand alone: `inputs.x`, without `$`"),
        ("é", 1, "`é` is not expected here", 'a name has the letters a-z, digits and `_`; as a field it may be written `x["…"]`'),
        ("Point{x: 1}", 1, "`Point` is not a type that can be made here", 'write an object as `{"key": value}`, without `Point`'),
        (".a", 2, "a name cannot begin with a dot", "write `a`"),
        ("99999999999999999999", 1, "the number does not fit into 64 bits", "write it as a text, or with a fraction: `1e20`"),
        ("a\0b", 2, "the character U+0000 is not allowed here", "remove it"),
        ("'\ud800'", 2, "the character U+D800 is not allowed here", "remove it"),
        ("${{ a", 1, "`${{` is not closed", "close it with `}}`, or write `$${{` when it is meant as text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_explained(text: str, column: int, message: str, hint: str) -> None:
    """A mistake of syntax is told in the words of the person, not of the grammar."""
    problems = [(p.place.column, p.code, p.message, p.hint) for p in compile_here(text).problems]
    assert problems == [(column, "bad-expression", message, hint)]


@pytest.mark.parametrize(
    "text",
    [
        "has(steps.maybe.output) ? steps.maybe.output.status : 0",
        "has(steps.maybe.output.body) && size(steps.maybe.output.body) > 0",
        "steps.maybe.status == 'succeeded' && steps.maybe.output.status > 3",
        "steps.maybe.status != 'succeeded' || steps.maybe.output.status > 3",
        "steps.maybe.output != null ? steps.maybe.output.body : []",
        "steps.maybe.output == null",
        "steps.maybe.output.?status.orValue(3)",
        "steps.maybe.?output.status.orValue(3)",
        "steps.maybe.output.?body[?0].?id.orValue('none')",
        "steps.maybe.error.?message.orValue('')",
        "[steps.maybe].filter(s, s.status == 'failed')",
        "inputs.note + 'a'",
        "inputs.note.size() > 3",
        "inputs.note != null && inputs.note.startsWith('a')",
        "inputs.anything.whatever[3].name + 1",
        "inputs.minimum / 2 + inputs.rate",
        "item.a.b.c",
        "steps.orders.output.headers['content-type'].contains('json')",
        "steps.orders.output.body[0]['line-count'] + 1",
        "sort_by(steps.orders.output.body, 'total')[0].total > inputs.rate",
        "from_json(inputs.region).whatever",
        "steps.each.output.map(e, e.ts)",
        "steps.each.items.filter(i, i.status == 'failed').map(i, i.error.message)",
        "math.round(inputs.rate) % 2 == 0",
        "inputs.region in ['eu', 'us']",
        "[1, 'a', null][0] == 1",
        "(inputs.minimum > 3 ? 'a' : 1) == 1",
        "1 in []",
        "'a' == 'b'",
    ],
)
def test_what_may_work_is_let_through(text: str) -> None:
    """Guards count, and nothing is refused that could work."""
    assert [str(problem) for problem in compile_here(text).problems] == []


def test_all_mistakes_of_a_text_are_told() -> None:
    """Each expression of a text and each part of an expression is judged, in the order of the text."""
    problems = compile_here("${{ inputs.a + inputs.region }} ${{ inputs. }} ${{ steps.gone.output }}").problems
    assert [(p.place.column, p.code) for p in problems] == [
        (12, "unknown-field"),
        (44, "bad-expression"),
        (58, "unknown-step"),
    ]


def test_an_expression_with_problems_is_not_compiled() -> None:
    """There is nothing to run when something is wrong."""
    assert compile_here("inputs.minimun").expression is None


def test_more_names_hide_others() -> None:
    """A root that is added is known, and only in the new compiler."""
    inner = COMPILER.with_roots({"page": {"type": "object", "properties": {"next": {"type": "string"}}}})
    assert inner.compile("page.next + inputs.region", place_at).problems == ()
    assert [p.code for p in inner.compile("page.nxt", place_at).problems] == ["unknown-field"]
    assert [p.code for p in COMPILER.compile("page.next", place_at).problems] == ["unknown-name"]


def test_a_root_may_have_the_name_of_a_namespace() -> None:
    """A variable called `math` hides the functions of that name."""
    compiler = ExpressionCompiler(Names(roots={**NAMES.roots, "math": {"type": "string"}}, steps={}, unreachable={}))
    assert compiler.compile("math.trim()", place_at).problems == ()
    assert [p.code for p in compiler.compile("math.abs(1)", place_at).problems] == ["unknown-function"]
