import json

import pytest

from ipaas.definition.report import FORMATS, render_problems
from ipaas.model import Place, Problem

PROBLEMS = [
    Problem(
        Place("pipelines/a b,c.yaml", 9, 5), "unknown key `wiht` in step `say`", "unknown-key", "did you mean `with`?"
    ),
    Problem(Place("pipelines/ü.yaml", 10, 1), "100%\r\nbroken \x1b[31m", "bad-value"),
]


def test_text_has_two_lines_a_problem_and_nothing_that_a_terminal_obeys() -> None:
    """Place, message and code, then the hint; control characters of a hostile file are shown, not sent."""
    assert render_problems(PROBLEMS, "text") == (
        "pipelines/a b,c.yaml:9:5: unknown key `wiht` in step `say` [unknown-key]\n"
        "  hint: did you mean `with`?\n"
        "pipelines/ü.yaml:10:1: 100%\\r\\nbroken \\x1b[31m [bad-value]"
    )


def test_json_is_an_array_of_objects() -> None:
    """Every field of a problem is there under its own name."""
    assert json.loads(render_problems(PROBLEMS, "json"))[0] == {
        "file": "pipelines/a b,c.yaml",
        "line": 9,
        "column": 5,
        "code": "unknown-key",
        "message": "unknown key `wiht` in step `say`",
        "hint": "did you mean `with`?",
    }


def test_github_commands_are_escaped() -> None:
    """Percent signs and line breaks are escaped in messages, and commas and colons in properties too."""
    assert render_problems(PROBLEMS, "github").split("\n") == [
        "::error file=pipelines/a b%2Cc.yaml,line=9,col=5,title=unknown-key::unknown key `wiht` in step `say`%0Ahint: did you mean `with`?",
        "::error file=pipelines/ü.yaml,line=10,col=1,title=bad-value::100%25%0D%0Abroken \x1b[31m",
    ]


def test_sarif_is_what_code_scanning_reads() -> None:
    """One run with a rule per code, results with places, and file names as URIs."""
    log = json.loads(render_problems(PROBLEMS, "sarif", program_version="1.2.3"))
    run = log["runs"][0]
    assert (log["version"], run["tool"]["driver"]["version"], run["columnKind"]) == (
        "2.1.0",
        "1.2.3",
        "unicodeCodePoints",
    )
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["bad-value", "unknown-key"]
    assert run["results"][0] == {
        "ruleId": "unknown-key",
        "ruleIndex": 1,
        "level": "error",
        "message": {"text": "unknown key `wiht` in step `say`\nhint: did you mean `with`?"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "pipelines/a%20b%2Cc.yaml"},
                    "region": {"startLine": 9, "startColumn": 5},
                }
            }
        ],
    }


@pytest.mark.parametrize("format, empty", [("text", ""), ("json", "[]"), ("github", "")])
def test_nothing_to_tell_is_an_empty_rendering(format: str, empty: str) -> None:
    """Without problems there is nothing to print, or an empty array."""
    assert format in FORMATS
    assert render_problems([], format) == empty
