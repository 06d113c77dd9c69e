import io

import pytest

from ipaas.cli import main
from ipaas.cli.errors import report
from ipaas.cli.secrets import get_redactor
from ipaas.errors import InputError, Missing, ProblemsFound, StoreUnavailable
from ipaas.model import Place, Problem

PROBLEM = Problem(
    Place("pipelines/daily.yaml", 9, 5), "unknown key `wiht` in step `say`", "unknown-key", "did you mean `with`?"
)


@pytest.mark.parametrize(
    "error, code, text",
    [
        (InputError("a is wrong", hint="do b"), 2, "error: a is wrong\n  hint: do b\n"),
        (InputError("a is wrong\nb is wrong"), 2, "error: a is wrong\nerror: b is wrong\n"),
        (ProblemsFound([PROBLEM]), 2, f"{PROBLEM}\nerror: 1 problem found\n"),
        (Missing("there is no run `x`"), 2, "error: there is no run `x`\n"),
        (StoreUnavailable("the database is locked"), 1, "error: the database is locked\n"),
        (ExceptionGroup("", [ExceptionGroup("", [InputError("a is wrong")])]), 2, "error: a is wrong\n"),
        (BaseExceptionGroup("", [KeyboardInterrupt()]), 130, "interrupted\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            ZeroDivisionError("division\nby zero"),
            1,
            (
                "error: unexpected ZeroDivisionError: division by zero\n  hint: this is a bug in ipaas; run it again with "
                "`IPAAS_DEBUG=1` and report the traceback with `ipaas version`\n"
            ),
        ),
    ],
)
def test_each_exception_has_its_words_and_code(error: BaseException, code: int, text: str) -> None:
    """An exception becomes lines on standard error and an exit code, without a traceback."""
    stream = io.StringIO()
    assert report(error, stream) == code
    assert stream.getvalue() == text


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("True", True), ("0", False), ("false", False), ("", False)])
def test_traceback_is_shown_on_request(value: str, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """`IPAAS_DEBUG=1` adds the traceback of a bug; `false`, as the settings say it, does not."""
    monkeypatch.setenv("IPAAS_DEBUG", value)
    stream = io.StringIO()
    try:
        _fail()
    except ZeroDivisionError as error:
        report(error, stream)
    assert ("in _fail" in stream.getvalue()) is shown


def _fail() -> float:
    return 1 / 0


@pytest.mark.parametrize("variable", ['{"token": "hunter22"}', "hunter22"])
def test_secret_is_taken_out_of_messages(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential's value does not appear in an error, also when the variable is no JSON."""
    monkeypatch.setenv("IPAAS_CREDENTIAL_SHOP", variable)
    get_redactor.cache_clear()
    stream = io.StringIO()
    report(ValueError("got hunter22"), stream)
    get_redactor.cache_clear()
    assert "got [redacted]" in stream.getvalue()


def test_message_cannot_move_the_cursor() -> None:
    """Control characters in a message are written out."""
    stream = io.StringIO()
    report(InputError("bad \x1b[2J name"), stream)
    assert stream.getvalue() == "error: bad \\x1b[2J name\n"


def test_closed_standard_error_changes_no_code() -> None:
    """When nobody can be told, the exit code still tells."""
    stream = io.StringIO()
    stream.close()
    assert report(InputError("x"), stream) == 2


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["vresion"], "error: unknown command `ipaas vresion`\n  hint: did you mean `version`?\n"),
        (["workflows", "lst"], "error: unknown command `ipaas workflows lst`\n  hint: did you mean `list`?\n"),
        (["version", "--jsn"], "error: unknown flag `--jsn` of `ipaas version`\n  hint: did you mean `--json`?\n"),
        (
            ["version", "-x"],
            "error: unknown flag `-x` of `ipaas version`\n  hint: `ipaas version --help` shows how it is used\n",
        ),
        (
            ["version", "now"],
            "error: `ipaas version` does not take `now`\n  hint: `ipaas version --help` shows how it is used\n",
        ),
        (["run"], "error: `ipaas run` needs `FILE|ID`\n  hint: `ipaas run --help` shows how it is used\n"),
        (
            ["runs", "list", "--limit"],
            "error: `--limit` needs a value\n  hint: `--help` after the command shows how it is used\n",
        ),
    ],
)
def test_wrong_usage_is_told_in_our_words(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command, flag or argument is one message with the nearest name, on standard error, exit code 2."""
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", text)


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["runs", "list", "--limit", "x"], "error: `--limit` must be a valid integer"),
        (["runs", "list", "--limit", "0"], "error: `--limit` must be greater than or equal to 1"),
        (["validate", "--format", "xml"], "error: `--format`: `xml` is not one of `text`, `json`, `github`, `sarif`"),
        (["serve", "--port", "x"], "error: `--port` must be a whole number, not `x`"),
        (["serve", "--grace", "-1"], "error: `--grace` must be at least 0, not `-1`"),
        (
            ["serve", "--host", "0.0.0.0"],
            "error: `0.0.0.0` can be reached from other machines, and this version has no access tokens to guard it",
        ),
    ],
)
def test_wrong_value_names_its_flag(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that does not fit a flag is told with the flag and the rule."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == line
