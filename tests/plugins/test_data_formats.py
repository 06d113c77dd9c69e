import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
import trio
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ipaas.plugin import Action, Fatal
from tests.plugins.bundled import DATA, JSON, TEXT, Bench

CELLS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["", '"', ",", "\r", "\n", "\r\n", "\ufeff", " a ", "007"]
)
XML_TEXT = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff", include_characters="\t\n\r"
    ),
    max_size=8,
)
XML_NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,4}(:[a-z]{1,3})?", fullmatch=True).filter(
    lambda name: "xmlns" not in name
)
AMBIGUOUS = [
    "",
    "on",
    "no",
    "Yes",
    "~",
    "null",
    "1",
    "1.0",
    "1e3",
    "0o14",
    "014",
    "0x1F",
    "12:30",
    "2024-01-01",
    ".inf",
    ".5",
    "- a",
    "a: b",
    "# x",
    "<<",
    "=",
    "!a",
    "&a",
    "*a",
    "|",
    "a\n",
    "\na",
    " a",
    "a ",
    "a\n\n",
    "\t",
    "a\tb",
    "é\u2028",
    "---",
    "...",
    "%a",
    "@a",
    "`a",
]


def xml_elements(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Elements as `parse_xml` gives them: text that stands beside others is without white space around it, lists have two or more."""
    attributes = st.dictionaries(XML_NAMES.map(lambda name: f"@{name}"), XML_TEXT, max_size=2)
    children = st.dictionaries(XML_NAMES, inner | st.lists(inner, min_size=2, max_size=3), max_size=3)
    text = XML_TEXT.map(str.strip).map(lambda text: {"#text": text} if text else {})
    return (
        st.tuples(attributes, children, text)
        .filter(lambda parts: bool(parts[0] or parts[1]))
        .map(lambda parts: {**parts[0], **parts[1], **parts[2]})
    )


XML = st.recursive(XML_TEXT, xml_elements, max_leaves=8)


async def refuse(act: Bench, action: str, text: Any, message: str, **inputs: Any) -> Fatal:
    """The action refuses the text as wrong data, with this message."""
    with pytest.raises(Fatal, match=message) as caught:
        await act.run(f"data.{action}", {"text": text, **inputs})
    assert caught.value.type == "validation"
    return caught.value


# JSON


@given(value=JSON, indent=st.integers(0, 3), sort_keys=st.booleans())
async def test_json_survives(actions: Mapping[str, Action], value: Any, indent: int, sort_keys: bool) -> None:
    """What is written as JSON is read as the same value, and by the standard library too."""
    bench = Bench(actions)
    text = await bench("data.format_json", value=value, indent=indent, sort_keys=sort_keys)
    assert json.loads(text) == value
    assert await bench("data.parse_json", text=text) == value


async def test_json_is_written_short_or_indented(act: Bench) -> None:
    """Without indentation there is no space; letters stay letters; keys are sorted on request."""
    value = {"b": [1, 2.5], "a": "é"}
    assert await act("data.format_json", value=value) == '{"b":[1,2.5],"a":"é"}'
    assert (
        await act("data.format_json", value=value, indent=2, sort_keys=True)
        == '{\n  "a": "é",\n  "b": [\n    1,\n    2.5\n  ]\n}'
    )
    with pytest.raises(Fatal, match="`indent` is 99, and must be between 0 and 16"):
        await act("data.format_json", value=1, indent=99)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1, 2,}', r"not JSON at line 1 column 13, .*`}`"),
        ('{\n "a": 1,\n "b" 2}', r"not JSON at line 3 column 6"),
        ('{"a": 1', "the text ends too early"),
        ("", "the text is empty"),
        ('{"a": NaN}', "`NaN` is not a JSON number"),
        ('{"a": 1e999}', "a number that is too large"),
        ('"\\ud800"', r"half a character, `\\ud800` without its partner"),
        ('{"\\udc00": 1}', r"half a character, `\\udc00`"),
        ("[" * 100_000, "more than 60 levels"),
        ("[" * 61 + "]" * 61, "more than 60 levels"),
        ('{"a":' * 61 + "1" + "}" * 61, "more than 60 levels"),
        ("1" * 5000, "not JSON: "),
    ],
)  # fmt: skip
async def test_bad_json_is_located(act: Bench, text: str, message: str) -> None:
    """Text that is not JSON, or has what no other program can take, is refused with line and column where there is one."""
    await refuse(act, "parse_json", text, message)


async def test_json_of_sixty_levels_is_read(act: Bench) -> None:
    """The limit is where it is said to be, and a byte order mark does not matter."""
    text = "\ufeff" + "[" * 60 + "1" + "]" * 60
    assert await act("data.parse_json", text=text) == json.loads(text[1:])


async def test_bad_json_that_looks_like_something_else_says_so(act: Bench) -> None:
    """HTML and JSON lines are recognised."""
    assert "HTML" in (await refuse(act, "parse_json", "<html></html>", "not JSON")).hint
    assert "parse_json_lines" in (await refuse(act, "parse_json", '{"a":1}\r\n{"a":2}', "not JSON")).hint


@given(items=st.lists(JSON, max_size=5))
async def test_json_lines_survive(actions: Mapping[str, Action], items: list[Any]) -> None:
    """A list is one line for each item, and is read back the same; separators within texts do not part lines."""
    bench = Bench(actions)
    text = await bench("data.format_json_lines", items=items)
    assert text.count("\n") == len(items)
    assert await bench("data.parse_json_lines", text=text) == items


async def test_json_lines_skip_blanks_and_locate_mistakes(act: Bench) -> None:
    """Blank lines and Windows line ends are fine; a mistake names its line."""
    assert await act("data.parse_json_lines", text='\ufeff{"a":1}\r\n\n  \n2') == [{"a": 1}, 2]
    await refuse(act, "parse_json_lines", '1\n\n{"a":}\n', r"not JSON at line 3 column 6")


# CSV


@given(data=st.data(), delimiter=st.sampled_from([",", ";", "\t", "|"]), quote=st.sampled_from(['"', "'"]))
async def test_csv_survives(actions: Mapping[str, Action], data: st.DataObject, delimiter: str, quote: str) -> None:
    """Rows of any text are read back the same, whatever is in their cells, and by the standard library too."""
    bench = Bench(actions)
    names = data.draw(st.lists(CELLS, min_size=1, max_size=3, unique=True))
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(names, CELLS)), max_size=3))
    dialect = {"delimiter": delimiter, "quote": quote}
    text = await bench.run("data.format_csv", {"items": rows, "columns": names, **dialect})
    assert await bench.run("data.parse_csv", {"text": text, **dialect}) == rows
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    assert list(reader) == [names, *[[row[name] for name in names] for row in rows]]


async def test_real_csv_with_numbers(act: Bench) -> None:
    """Four years of weather: dates stay text, columns of numbers become numbers."""
    text = (DATA / "seattle-weather.csv").read_text(encoding="utf-8")
    rows = await act("data.parse_csv", text=text, numbers=True)
    assert len(rows) == 1461
    assert rows[1] == {
        "date": "2012-01-02",
        "precipitation": 10.9,
        "temp_max": 10.6,
        "temp_min": 2.8,
        "wind": 4.5,
        "weather": "rain",
    }
    assert await act("data.format_csv", items=rows) == text


async def test_csv_cells_are_text_unless_told(act: Bench) -> None:
    """Nothing is guessed: without `numbers` every cell is the text that stands there."""
    assert await act("data.parse_csv", text="a,b\n1,\n") == [{"a": "1", "b": ""}]


async def test_csv_numbers_keep_identifiers(act: Bench) -> None:
    """Leading zeros, long identifiers and mixed columns stay text as whole columns; empty cells of number columns are null."""
    text = "zip,id,mixed,n,x,none\n01234,12345678901234567890,1, 5 ,1e3,\n99999,1,a,,-2.5,\n"
    assert await act("data.parse_csv", text=text, numbers=True) == [
        {"zip": "01234", "id": "12345678901234567890", "mixed": "1", "n": 5, "x": 1000.0, "none": ""},
        {"zip": "99999", "id": "1", "mixed": "a", "n": None, "x": -2.5, "none": ""},
    ]


async def test_csv_numbers_by_name_are_required(act: Bench) -> None:
    """Named columns must be numbers: a cell that is none names its line, a column that is not there the ones that are."""
    assert await act("data.parse_csv", text="a,b\n1,2\n", numbers=["b"]) == [{"a": "1", "b": 2}]
    await refuse(
        act,
        "parse_csv",
        'a,b\n"1\n",2\n3,x\n',
        "line 4 has `x` in the column `b`, which is not a number",
        numbers=["b"],
    )
    error = await refuse(act, "parse_csv", "a,b\n", "`numbers` names the column `c`, which is not there", numbers=["c"])
    assert error.hint == "the columns are `a`, `b`"


async def test_csv_without_header(act: Bench) -> None:
    """`columns` names the columns of text that has no header; `header: false` writes none; a byte order mark is no part of a name."""
    assert await act("data.parse_csv", text="\ufeff1,2\n", columns=["a", "b"]) == [{"a": "1", "b": "2"}]
    assert await act("data.parse_csv", text="\ufeffa\r\n1\r\n\r\n") == [{"a": "1"}]
    assert await act("data.format_csv", items=[{"a": 1}], header=False) == "1\n"
    assert await act("data.parse_csv", text="") == []


async def test_csv_writes_what_is_no_text(act: Bench) -> None:
    """Null and missing are empty, structures are JSON, booleans and numbers are as in JSON; columns come as they first appear."""
    items = [{"a": None, "b": [1, {"c": "x"}]}, {"d": True, "a": 1.5}]
    assert await act("data.format_csv", items=items) == 'a,b,d\n,"[1,{""c"":""x""}]",\n1.5,,true\n'
    assert await act("data.format_csv", items=[]) == ""
    assert await act("data.format_csv", items=[], columns=["a"]) == "a\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1\n", "line 2 has 1 cell, the header has 2"),
        ('a,b\n"x\ny",1\n1,2,3\n', "line 4 has 3 cells, the header has 2"),
        ("a,a\n", "the header has the column `a` twice"),
        ('a\n"x', "not CSV at line 2: unexpected end of data"),
        ('a\n1\n"x"y\n', "not CSV at line 3: "),
    ],
)
async def test_bad_csv_names_its_line(act: Bench, text: str, message: str) -> None:
    """Ragged rows, double columns and broken quotes are refused with the line on which the row begins."""
    await refuse(act, "parse_csv", text, message)


async def test_csv_with_another_delimiter_is_recognised(act: Bench) -> None:
    """When the header looks like one cell of several, the hint gives the delimiter."""
    error = await refuse(act, "parse_csv", "a;b\n1,5;2\n", "line 2 has 2 cells, the header has 1")
    assert 'delimiter: ";"' in error.hint
    await refuse(act, "parse_csv", "a", "`delimiter` is `';;'`, not one character", delimiter=";;")
    await refuse(act, "parse_csv", "a", "are the same character", quote=",")


async def test_csv_cells_may_be_long(act: Bench) -> None:
    """A cell that holds a document is no mistake."""
    assert (await act("data.parse_csv", text=f"a\n{'x' * 500_000}\n"))[0]["a"] == "x" * 500_000


async def test_rows_must_be_objects(act: Bench) -> None:
    """A list of anything else is refused by name before it comes to the format."""
    for action in ("format_csv", "format_markdown_table"):
        with pytest.raises(Exception, match=r"input `items\[1\]` must be an object"):
            await act.run(f"data.{action}", {"items": [{}, 1]})


async def test_markdown_table(act: Bench) -> None:
    """Numbers are set to the right; bars and line ends cannot break the table."""
    items = [{"place": "a|b\nc", "mag": 5, "note": None}, {"place": "d", "mag": 4.5, "note": True}]
    assert await act("data.format_markdown_table", items=items) == (
        "| place | mag | note |\n| --- | ---: | --- |\n| a\\|b<br>c | 5 |  |\n| d | 4.5 | true |\n"
    )
    assert (
        await act("data.format_markdown_table", items=items, columns=["mag"]) == "| mag |\n| ---: |\n| 5 |\n| 4.5 |\n"
    )
    assert await act("data.format_markdown_table", items=[]) == ""


# XML


@given(name=XML_NAMES, content=XML, indent=st.integers(0, 2), declaration=st.booleans())
async def test_xml_survives(
    actions: Mapping[str, Action], name: str, content: Any, indent: int, declaration: bool
) -> None:
    """A value as `parse_xml` gives it is written and read back the same, indented or not."""
    bench = Bench(actions)
    text = await bench("data.format_xml", value={name: content}, indent=indent, declaration=declaration)
    assert await bench("data.parse_xml", text=text) == {name: content}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a>x</a>", {"a": "x"}),
        ("<a/>", {"a": ""}),
        ("<a> x </a>", {"a": " x "}),
        ("<a>\n <b>1</b>\n <b/>\n</a>", {"a": {"b": ["1", ""]}}),
        ('<a k="1"> x </a>', {"a": {"@k": "1", "#text": "x"}}),
        ("<a>x<b/>y</a>", {"a": {"b": "", "#text": "xy"}}),
        ("<a><![CDATA[<b>]]>&amp;<!-- c --><?p q?></a>", {"a": "<b>&"}),
        ('<n:a xmlns:n="u" n:k="v"/>', {"n:a": {"@xmlns:n": "u", "@n:k": "v"}}),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>', {"a": "é"}),
        ('\ufeff<!DOCTYPE plist PUBLIC "-//x" "http://example.invalid/p.dtd"><a>x</a>', {"a": "x"}),
    ],
)
async def test_xml_convention(act: Bench, text: str, expected: Any) -> None:
    """Attributes, repeated children, mixed text, prefixes, declarations and document types read as documented."""
    assert await act("data.parse_xml", text=text) == expected


async def test_xml_lists_on_request(act: Bench) -> None:
    """An element that `lists` names is a list even when it comes once, so that a loop over it never meets a lone item."""
    text = "<orders><order><id>1</id></order></orders>"
    assert await act("data.parse_xml", text=text, lists=["order"]) == {"orders": {"order": [{"id": "1"}]}}


async def test_xml_writes_what_is_no_text(act: Bench) -> None:
    """Null is empty, numbers and booleans are as in JSON, lists are repeated elements; text beside children keeps its line."""
    value = {"a": {"@id": 7, "b": [1.5, True, None, {"c": {"d": "x", "#text": "y"}}]}}
    assert await act("data.format_xml", value=value, indent=2, declaration=False) == (
        '<a id="7">\n  <b>1.5</b>\n  <b>true</b>\n  <b/>\n  <b>\n    <c>y<d>x</d></c>\n  </b>\n</a>\n'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<a>\n <b>\n</a>", r"not XML at line 3 column 3: mismatched tag"),
        ("", "not XML at line 1 column 1: no element found"),
        ("hello", "not XML at line 1 column 1"),
        ("<a/><b/>", "not XML at line 1 column 5"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares entities"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "declares entities"),
        ('<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><a/>', "declares entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>&nbsp;</a>', "names the entity `nbsp` at line 1"),
        ("<a>&nbsp;</a>", "undefined entity"),
        ("<a>" * 100_000, "more than 30 levels at line 1"),
        ("<a>\0</a>", "not XML at line 1"),
    ],
)
async def test_bad_xml_is_located_and_bombs_are_refused(act: Bench, text: str, message: str) -> None:
    """Broken XML names line and column; nothing unfolds, nothing is fetched, nothing is silently left out."""
    await refuse(act, "parse_xml", text, message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "the value has 0 keys, XML has one root"),
        ({"a": 1, "b": 2}, "the value has 2 keys, XML has one root"),
        ({"a": [1]}, "`a` is a list, XML has one root"),
        ({"a": {"b": [[1]]}}, r"`a.b\[0\]` is a list within a list"),
        ({"a b": 1}, "`a b`: `a b` cannot be an XML name"),
        ({"a": {"@1": 1}}, "`a.@1`: `1` cannot be an XML name"),
        ({"a": {"@k": {}}}, "`a.@k` is an object, not text"),
        ({"a": {"b": "x\u0001"}}, r"`a.b` has the character U\+0001, which XML cannot hold"),
    ],
)
async def test_values_that_xml_cannot_say_are_refused(act: Bench, value: Any, message: str) -> None:
    """What has no place in XML is refused by its path, rather than written so that nobody can read it."""
    with pytest.raises(Fatal, match=message):
        await act("data.format_xml", value=value)


# YAML


@given(
    value=st.recursive(
        st.sampled_from(AMBIGUOUS) | JSON,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(AMBIGUOUS) | TEXT, inner, max_size=3)
        ),
        max_leaves=6,
    )
)
async def test_yaml_survives(actions: Mapping[str, Action], value: Any) -> None:
    """What is written as YAML is read as the same value, also by a reader of YAML 1.1."""
    bench = Bench(actions)
    text = await bench("data.format_yaml", value=value)
    assert await bench("data.parse_yaml", text=text) == value
    assert yaml.safe_load(text) == value


async def test_yaml_is_pleasant_to_read(act: Bench) -> None:
    """Block style, lines as lines, quotes only where a reader could be misled."""
    value = {"name": "on", "text": "one\ntwo\n", "plain": "just words", "empty": [], "list": [{"n": 1}, 1e20]}
    assert await act("data.format_yaml", value=value) == (
        "name: 'on'\ntext: |\n  one\n  two\nplain: just words\nempty: []\nlist:\n- n: 1\n- 1.0e+20\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("# nothing", None),
        ("[no, on, Yes, 12:30, 2024-01-01, 014, 0o14, 0x1F, 1e3, .5, ~, null, TRUE, +1]",
         ["no", "on", "Yes", "12:30", "2024-01-01", 14, 12, 31, 1000.0, 0.5, None, None, True, 1]),
        ("1: a\ntrue: b\n~: c", {"1": "a", "true": "b", "~": "c"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("&k a: 1\nb: *k", {"a": 1, "b": "a"}),
        ("a: !!str 1\nb: !!float 1\nc: ! 1\nd: !!int '1'", {"a": "1", "b": 1.0, "c": "1", "d": 1}),
        ("'<<': 1", {"<<": 1}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}),
    ],
)  # fmt: skip
async def test_yaml_core_schema(act: Bench, text: str, expected: Any) -> None:
    """Scalars are what YAML 1.2 says, not what 1.1 said; keys are text; aliases are followed."""
    assert await act("data.parse_yaml", text=text) == expected


def billion_laughs() -> str:
    rows = [
        f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]"
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "\n".join(["a: &a [x, x, x, x, x, x, x, x, x, x]", *rows])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", "not YAML at line 2 column 2"),
        ("a: 1\n b: 2", "not YAML at line 2"),
        ("a: 1\nb: {c: 2, c: 3}", "YAML at line 2 column 11: the key `c` comes twice"),
        ("a: &a [*a]", r"YAML at line 1 column 8: the alias `\*a` stands within itself"),
        ("? *k\n: 1", r"the alias `\*k` has no anchor before it"),
        ("a: *b", r"the alias `\*b` has no anchor before it"),
        ("a: 1\n---\nb: 2", "YAML at line 2 column 1: a second document begins"),
        ("{<<: {a: 1}}", "merge keys"),
        (
            "a: !!python/object/apply:os.system [x]",
            "the tag `tag:yaml.org,2002:python/object/apply:os.system` is refused",
        ),
        ("a: !mine x", "the tag `!mine` is refused"),
        ("a: !!int x", "`x` is no `!!int`"),
        ("? [a]\n: 1", "a key is a list, not text"),
        ("a: &x [1]\n? *x\n: 1", "a key is a list, not text"),
        ("a: .nan", "the number `.nan` is not finite"),
        ("a: 1e999", "a number that is too large"),
        ("a: \0", "not YAML: "),
        ("[" * 100_000, "more than 60 levels"),
        ("- " * 61 + "a", "more than 60 levels"),
        (billion_laughs(), "more than 1000000 values"),
    ],
)
async def test_bad_yaml_is_located_and_bombs_are_refused(act: Bench, text: str, message: str) -> None:
    """Broken or hostile YAML is refused with line and column, in little time and memory."""
    await refuse(act, "parse_yaml", text, message)


# Where the work is done


async def test_a_large_text_does_not_stop_the_others(act: Bench) -> None:
    """While megabytes are read, other tasks go on; so they do while they are written."""
    rows = [{"id": index, "text": "x" * 50} for index in range(20_000)]
    for parse, write, key in (
        ("parse_json", "format_json", "value"),
        ("parse_csv", "format_csv", "items"),
        ("parse_json_lines", "format_json_lines", "items"),
    ):
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            text = await act.run(f"data.{write}", {key: rows})
            before, turns = turns, 0
            await act.run(f"data.{parse}", {"text": text})
            nursery.cancel_scope.cancel()
        assert (before > 1, turns > 1) == (True, True)
