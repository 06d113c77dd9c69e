from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipaas.definition.nodes import Mapping, Scalar, Sequence
from ipaas.definition.source import Source, read_source


def read(text: str | bytes) -> Source:
    return read_source(text, "p.yaml")


def value_of(text: str) -> Any:
    source = read(text)
    assert source.problems == ()
    assert source.root is not None
    return source.root.value


def told(text: str | bytes) -> list[str]:
    return [str(problem) for problem in read(text).problems]


@pytest.mark.parametrize(
    "text, value",
    [
        ("true", True), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("''", ""), ("'true'", "true"),
        ("yes", "yes"), ("NO", "NO"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("12", 12), ("-12", -12), ("+3", 3), ("014", 14), ("0o14", 12), ("0x1F", 31), ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("1.", 1.0), ("-0.0", 0.0),
        ("12:30", "12:30"), ("190:20:30", "190:20:30"), ("2026-01-01", "2026-01-01"), ("1_000", "1_000"), ("0b11", "0b11"),
        ("1.2.3", "1.2.3"), ("=", "="), ("0x", "0x"), ("--", "--"), ("e3", "e3"), ("٣", "٣"),
        ('"a\\tb\\u00e9"', "a\tbé"), ("|\n  a\n  b\n", "a\nb\n"), (">\n  a\n  b\n", "a b\n"),
    ],
)  # fmt: skip
def test_scalars_mean_what_the_core_schema_says(text: str, value: object) -> None:
    """Only true and false are booleans, numbers are decimal or marked, dates and times are text."""
    found = value_of(f"k: {text}\n")["k"]
    assert (type(found), found) == (type(value), value)


def test_keys_are_text() -> None:
    """`on`, `true` and numbers are plain names as keys."""
    assert value_of("on: 1\ntrue: 2\n8080: 3\n~: 4\n") == {"on": 1, "true": 2, "8080": 3, "~": 4}


def test_aliases_stand_for_their_value() -> None:
    """An alias has the value of its anchor."""
    assert value_of("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_the_redefined_anchor_counts_from_there_on() -> None:
    """The nearest anchor before an alias is meant."""
    assert value_of("- &x 1\n- *x\n- &x 2\n- *x\n") == [1, 1, 2, 2]


def test_comments_and_an_end_marker_may_follow_the_document() -> None:
    """Only a second document is refused."""
    assert value_of("--- # begin\na: 1\n...\n# end\n\n") == {"a": 1}


@pytest.mark.parametrize(
    "text, problem",
    [
        ("a: 1\na: 2\n", "p.yaml:2:1: the key `a` stands in line 1 already [duplicate-key]\n  hint: remove one of them"),
        ("<<: {a: 1}\n", "p.yaml:1:1: merge keys `<<` are not allowed [merge-key]\n  hint: write the keys out"),
        ("a: !x 3\n", "p.yaml:1:4: the tag `!x` is not allowed [yaml-tag]\n  hint: remove it; put a text that begins with `!` in quotes"),
        ("a: !!python/object:os.system {}", "p.yaml:1:4: the tag `tag:yaml.org,2002:python/object:os.syst…` is not allowed [yaml-tag]\n  hint: remove it; put a text that begins with `!` in quotes"),
        ("a: &x [*x]\n", "p.yaml:1:8: the alias `*x` is part of what it stands for [recursive-alias]\n  hint: write the value out"),
        ("a: *x\n", "p.yaml:1:4: no anchor `&x` comes before the alias `*x` [unknown-alias]\n  hint: put a value that begins with `*` in quotes"),
        ("a: 1\n---\nb: 2\n", "p.yaml:2:1: a second document begins here [many-documents]\n  hint: put it in a file of its own"),
        ("%YAML 1.2\n---\na: 1\n", "p.yaml:1:1: `%` begins a directive, and directives are not allowed [yaml-syntax]\n  hint: remove the line"),
        ("a: .inf\n", "p.yaml:1:4: `.inf` is no number that JSON has [not-json]\n  hint: put it in quotes if it is meant as text"),
        ("a: -.nan\n", None),
        ("a: 1e999\n", "p.yaml:1:4: the number `1e999` is too large [not-json]\n  hint: put it in quotes if it is meant as text"),
        ("a: 9223372036854775808\n", "p.yaml:1:4: the number `9223372036854775808` has more digits than a 64-bit integer [not-json]\n  hint: put it in quotes if it is meant as text"),
        ("? [a]\n: b\n", "p.yaml:1:3: a key must be text [bad-key]\n  hint: put it in quotes if it is meant as text"),
        ("a: {{ x }}\n", 'p.yaml:1:4: `{{` without quotes opens an object, not an expression [bad-key]\n  hint: write expressions as `"${{ … }}"`, in quotes'),
        ("", "p.yaml:1:1: the file is empty [empty-file]\n  hint: begin with `version: 1`"),
        ("# only this\n", "p.yaml:1:1: the file is empty [empty-file]\n  hint: begin with `version: 1`"),
        ("---\n", "p.yaml:1:1: the file is empty [empty-file]\n  hint: begin with `version: 1`"),
        ('a: "\\0"\n', "p.yaml:1:4: the text holds a NUL character [bad-encoding]\n  hint: remove the escape `\\0`"),
        ("a: \0\n", "p.yaml:1:4: the character U+0000 is not allowed in YAML [bad-encoding]\n  hint: remove it, or write an escape in double quotes"),
        ("a:\n  b: \ud800\n", "p.yaml:2:6: the character U+D800 is not allowed in YAML [bad-encoding]\n  hint: remove it, or write an escape in double quotes"),
        ("\ufeffa: 1\n", "p.yaml:1:1: the file begins with a byte order mark [bad-encoding]\n  hint: save the file as UTF-8 without BOM"),
        (b"a: 1\nb: \xff\n", "p.yaml:2:4: the byte 0xff is not UTF-8 [bad-encoding]\n  hint: save the file as UTF-8"),
        ("a: 1\n".encode("utf-16"), "p.yaml:1:1: the byte 0xff is not UTF-8 [bad-encoding]\n  hint: save the file as UTF-8"),
        (b"a: \xed\xa0\x80\n", "p.yaml:1:4: the byte 0xed is not UTF-8 [bad-encoding]\n  hint: save the file as UTF-8"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_with_its_place(text: str | bytes, problem: str | None) -> None:
    """Each refusal of the language names file, line, column and the cure."""
    assert told(text) == ([] if problem is None else [problem])


@pytest.mark.parametrize(
    "text, problem",
    [
        ("a: @foo\n", "1:4: `@` cannot begin a value\n  hint: put the value in quotes"),
        ("a: `foo`\n", "1:4: a backtick cannot begin a value\n  hint: put the value in quotes"),
        ("a: b: c\n", "1:5: a second `: ` in one value\n  hint: put the value in quotes"),
        ("if: x ? 1 : 2\n", "1:11: a second `: ` in one value\n  hint: put the value in quotes"),
        ("a:\n\tb: 1\n", "2:1: a tab indents this line\n  hint: indent with spaces: YAML takes no tabs there"),
        ("a: 'x\n", "1:4: the quote that opens here is never closed\n  hint: close it with `'`"),
        ('a:\n  b: "x\n  c: 1\n', '2:6: the quote that opens here is never closed\n  hint: close it with `"`'),
        ("a: 'it's'\n", "1:8: `s'` stands behind a closed quote\n  hint: put the whole value in quotes, and double the quotes inside it"),
        ("a: [1, 2\nb: 3\n", "2:2: the list that `[` opens in line 1 does not go on like this\n  hint: close it with `]`, and put a `,` between its parts"),
        ("a: {b: 1\n", "2:1: the object that `{` opens in line 1 does not go on like this\n  hint: close it with `}`, and put a `,` between its parts"),
        ("a: {b: ${{ c }}}\n", '1:9: the object that `{` opens in line 1 does not go on like this\n  hint: inside `{ }` and `[ ]` write expressions in quotes: `"${{ … }}"`'),
        ("a:\n  b: 1\n c: 2\n", "3:2: this line does not go on with the object begun in line 1\n  hint: check the indentation: the keys of one object begin in the same column"),
        ("- a\nb: c\n", "2:1: this line does not go on with the list begun in line 1\n  hint: check the indentation: the items of one list begin with `- ` in the same column"),
        ("a: - b\n", "1:4: a list cannot begin here\n  hint: begin it on the next line, or put the value in quotes"),
        ("a:\n  b: 1\n   c: 2\n", "3:5: a key cannot stand here\n  hint: check the indentation of this line and of the value above it"),
        ("key:value\nother: x\n", "2:6: a key cannot stand here: the line above it, `key:value`, has no `: `\n  hint: write a space behind the `:`"),
        ("a: 1\nkey:value\n", "2:1: `key:value` has no `: ` in it\n  hint: write a space behind the `:`"),
        ("a: 1\nfoo\n", "2:1: `foo` has no `: ` in it\n  hint: write `key: value`, or indent the line to continue the value above"),
        ('a: "\\d"\n', "1:5: `\\d` means nothing in double quotes\n  hint: write `\\\\d`, or use single quotes"),
        ('a: "\\ud800"\n', "1:4: an escape in double quotes names no character\n  hint: write the character itself, or use single quotes"),
        ("a: *\n", "1:4: `*` begins an alias, but no name follows\n  hint: put the value in quotes"),
        ("a: &\n", "1:4: `&` begins an anchor, but no name follows\n  hint: put the value in quotes"),
        ("a: |x\n  foo\n", "1:5: behind `|` or `>` nothing may stand on the same line\n  hint: begin the text on the next line, indented"),
        ("a: [,]\n", "1:5: a value is missing here\n  hint: write it, or remove the sign before it"),
        ("a: !<x\n", "1:4: `!` begins a tag, and tags are not allowed\n  hint: put the value in quotes"),
    ],
)  # fmt: skip
def test_broken_yaml_is_explained_without_jargon(text: str, problem: str) -> None:
    """The common mistakes of writing YAML have a plain sentence, the right place and a cure."""
    first, _, hint = problem.partition("\n")
    assert told(text) == [f"p.yaml:{first} [yaml-syntax]\n{hint}"]


def test_everything_wrong_is_told_at_once() -> None:
    """A refused key or tag does not hide the next."""
    assert [problem.code for problem in read("a: !x 1\na: 2\n<<: {}\nb: .inf\n").problems] == [
        "yaml-tag",
        "duplicate-key",
        "merge-key",
        "not-json",
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text, code",
    [
        ("[" * 100_000, "too-deep"),
        ("- " * 500_000, "too-deep"),
        ("{a: " * 200_000, "too-deep"),
        ("? " * 400_000, "bad-key"),
        (BOMB, "too-many-values"),
        ("- a\n" * 200_000, "too-many-values"),
        ("- &a x\n- *a\n" * 50_000, "too-many-values"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40, "too-deep"),
        ("a" * (1024 * 1024 + 1), "too-large"),
        ("'" * 1_000_001, "yaml-syntax"),
        ("a: 1\n...\n" + "%TAG !a! b\n" * 80_000, "many-documents"),
        ("%TAG !a! b\n" * 80_000, "yaml-syntax"),
        ("\n" * 1_000_000, "empty-file"),
        ("{a: 1, " * 100_000, "bad-key"),
        ("a: 1\n" * 100_000, "duplicate-key"),
        ("a: !b c\n" * 1, "yaml-tag"),
    ],
    ids=lambda each: each if len(each) < 20 else "",
)
def test_hostile_text_ends_in_a_problem(text: str, code: str) -> None:
    """Depth, aliases, size and repetition hit a limit instead of memory or time."""
    assert code in {problem.code for problem in read(text).problems}


def test_nodes_up_to_the_limits_are_read() -> None:
    """Sixty-four levels and ten thousand values are fine; one more of either is not."""
    assert read("[" * 64 + "]" * 64).problems == ()
    assert [problem.code for problem in read("[" * 65 + "]" * 65).problems] == ["too-deep"]
    assert read("- a\n" * 9_999).problems == ()
    assert [problem.code for problem in read("- a\n" * 10_000).problems] == ["too-many-values"]


def find_scalars(source: Source) -> list[Scalar]:
    found, waiting = [], [source.root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Scalar):
            found.append(node)
        elif isinstance(node, Sequence):
            waiting += node.items
        elif isinstance(node, Mapping):
            waiting += node.items.values()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "k: one MARK two\n",
        "k: one\n  more\n\n  and MARK two\n",
        "k: 'it''s MARK'\n",
        "k: 'over\n  lines ''\n  MARK'\n",
        'k: "tab\\t \\"quoted\\" \\u00e9\\x41 MARK"\n',
        'k: "joined \\\n   MARK"\n',
        'k: "a\n\n  b\\\\ MARK"\n',
        "k: |\n  one\n\n    deeper\n  MARK two\n",
        "k: |2-\n    indented\n  MARK\n",
        "k: >  # folded\n  one\n  two\n\n    kept\n  x MARK\n",
        "- [a, MARK b]\n",
        "k: é\u2028 MARK\n",
        'k: "\\N \\L \\_ \\e MARK"\n',
        "k: |\n   \n   first MARK\n",
        "k: |\n" + "  a line of a long text\n" * 200 + "  then MARK\n  end\n",
        'k: "' + "a\\t \\\n   b" * 800 + ' MARK"\n',
    ],
)
def test_places_inside_scalars_are_exact(text: str) -> None:
    """A word of a scalar is found at the line and column where the file has it, whatever the style."""
    source = read(text)
    assert source.problems == ()
    scalar = next(each for each in find_scalars(source) if "MARK" in each.text)
    place = source.place_in(scalar, scalar.text.index("MARK"))
    lines = text.split("\n")
    assert lines[place.line - 1][place.column - 1 :].startswith("MARK")


WORDS = st.text(st.sampled_from("ab'\"\\#:é{}$ \n\t-|>&*"), min_size=1, max_size=30)


@given(WORDS, st.sampled_from(["'", '"', "|", ">", ""]), st.integers(0, 4))
@settings(max_examples=300)
def test_each_character_is_found_where_it_stands(text: str, style: str, indent: int) -> None:
    """Whatever the scalar, each of its characters that is no white space is at the place that is given for it."""
    import yaml

    written = yaml.safe_dump({"k": text}, default_style=style, width=12, indent=indent + 2, allow_unicode=True)
    source = read(written)
    if not source.problems:
        (scalar,) = find_scalars(source)
        lines = source.text.split("\n")
        for offset, character in enumerate(scalar.text):
            place = source.place_in(scalar, offset)
            if not character.isspace() and character not in "\\\"'":
                assert lines[place.line - 1][place.column - 1] == character


@given(st.text(max_size=400) | st.text(st.sampled_from("ab:-[]{},&*!|>'\"%@`#?\n \t${}<.0"), max_size=200))
@example("? |-\n  a")
@example("a: 'b\n---\nc'")
@settings(max_examples=500)
def test_any_text_gives_a_tree_or_problems(text: str) -> None:
    """No text raises, none is silently empty, and no message falls back to the parser's own words."""
    source = read(text)
    assert (source.root is None) <= bool(source.problems)
    for problem in source.problems:
        assert problem.message != "this is not YAML"
        assert problem.place.line >= 1
        assert problem.place.column >= 1


@given(st.binary(max_size=200))
def test_any_bytes_give_a_tree_or_problems(data: bytes) -> None:
    """No bytes raise."""
    source = read(data)
    assert (source.root is None) <= bool(source.problems)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text("abc", min_size=1), each, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text("xyz", min_size=1), JSON, min_size=1, max_size=3))
def test_json_is_read_as_itself(value: dict[str, Any]) -> None:
    """YAML is a superset of JSON: a document written as JSON comes back."""
    import json

    source = read(json.dumps(value, ensure_ascii=False))
    if "<<" not in value and not source.problems:
        assert source.root is not None
        assert source.root.value == value
