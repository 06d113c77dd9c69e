import io
from pathlib import Path

import pytest

from ipaas.cli.inputs import read_inputs
from ipaas.errors import InputError
from ipaas.model import Block, InputSpec, Json, Place, Workflow

PLACE = Place("a.yaml")
WORKFLOW = Workflow(
    id="w",
    version="v",
    path="a.yaml",
    source="",
    place=PLACE,
    block=Block(steps=()),
    inputs=(
        InputSpec(name="text", schema={"type": "string"}, place=PLACE, required=True),
        InputSpec(name="count", schema={"type": "integer"}, place=PLACE, required=True),
    ),
)


@pytest.mark.parametrize(
    "pair, value",
    [
        ("count=5", 5),
        ("count=five", "five"),
        ("text=5", "5"),
        ("text=", ""),
        ("text=a=b", "a=b"),
        ("other=[1, 2]", [1, 2]),
        ('other={"a": null}', {"a": None}),
        ("other=true", True),
        ("other=NaN", "NaN"),
        ("other=hello world", "hello world"),
    ],
)
def test_pair_is_read_as_its_input_wants(pair: str, value: Json) -> None:
    """Text inputs take the text; others take JSON when it is JSON."""
    assert read_inputs([pair], None, WORKFLOW) == {pair.partition("=")[0]: value}


@pytest.mark.parametrize(
    "pairs, message",
    [
        (["count"], "`--input` must be `name=value`, not `count`"),
        (["=5"], "`--input` must be `name=value`, not `=5`"),
        (["count=1", "count=2"], "input `count` is given twice"),
    ],
)
def test_pair_that_is_none_is_refused(pairs: list[str], message: str) -> None:
    """A pair without a name or a name twice is told."""
    with pytest.raises(InputError) as caught:
        read_inputs(pairs, None, WORKFLOW)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "name, text", [("in.json", '{"count": 5, "text": "a"}'), ("in.yaml", "count: 5  # how many\ntext: a\n")]
)
def test_file_is_json_or_yaml_and_pairs_win(name: str, text: str, tmp_path: Path) -> None:
    """A file gives all inputs, a pair replaces one."""
    path = tmp_path / name
    path.write_text(text)
    assert read_inputs(["count=6"], path, WORKFLOW) == {"count": 6, "text": "a"}


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--inputs-file -` reads standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO('{"count": 1}'))
    assert read_inputs([], Path("-"), WORKFLOW) == {"count": 1}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"[1]", "must hold one object of inputs"),
        (b"\xff", "it is not utf-8"),
        (b"a: 1\na: 2\n", "1 problem found"),
        (b"a: " + b"[" * 100_000, "1 problem found"),
    ],
    ids=["list", "latin", "twice", "deep"],
)
def test_file_that_is_no_object_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    """What is no object of inputs is refused, hostile text included."""
    path = tmp_path / "in.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_inputs([], path, WORKFLOW)
    assert message in caught.value.message


def test_missing_file_is_told(tmp_path: Path) -> None:
    """A file that is not there is told with its path."""
    with pytest.raises(InputError) as caught:
        read_inputs([], tmp_path / "no.json", WORKFLOW)
    assert caught.value.message == f"cannot read inputs from `{tmp_path}/no.json`: no such file or directory"
