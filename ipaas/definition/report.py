"""Problems for people and for machines.

Owns the four renderings: `text` (two lines a problem), `json`, `github` (workflow commands, shown beside the line in a pull request)
and `sarif` (2.1.0, for code scanning). Pure. The command line prints what this returns.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, get_args

from ipaas.controls import escape_controls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.model import Problem

Format = Literal["text", "json", "github", "sarif"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


def render_problems(problems: Sequence[Problem], format: Format, *, program_version: str = "") -> str:
    """Return the problems in a format, without a line break at the end; text and github are empty when there are none.

    Args:
        problems: sorted by place.
        program_version: written into `sarif`.
    """
    match format:
        case "text":
            return "\n".join(_as_text(problem) for problem in problems)
        case "json":
            return _dump([_as_json(problem) for problem in problems])
        case "github":
            return "\n".join(_as_command(problem) for problem in problems)
        case "sarif":
            return _dump(_as_sarif(problems, program_version))


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _as_text(problem: Problem) -> str:
    first = escape_controls(f"{problem.place}: {problem.message} [{problem.code}]")
    return f"{first}\n  hint: {escape_controls(problem.hint)}" if problem.hint else first


def _as_json(problem: Problem) -> dict[str, object]:
    place = problem.place
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }


def _as_command(problem: Problem) -> str:
    """Return `::error file=…::…`. Source: GitHub's `@actions/core`, which escapes data and properties so."""
    place = problem.place
    properties = f"file={_escape_property(place.file)},line={place.line},col={place.column},title={_escape_property(problem.code)}"
    message = f"{problem.message}\nhint: {problem.hint}" if problem.hint else problem.message
    return f"::error {properties}::{_escape_data(message)}"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _as_sarif(problems: Sequence[Problem], program_version: str) -> dict[str, object]:
    """Return a SARIF log. Source: OASIS SARIF 2.1.0, sections 3.13 to 3.30; columns count characters, said by `columnKind`."""
    codes = sorted({problem.code for problem in problems})
    driver: dict[str, object] = {"name": "ipaas", "rules": [{"id": code} for code in codes]}
    if program_version:
        driver["version"] = program_version
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_as_result(problem, codes.index(problem.code)) for problem in problems],
            }
        ],
    }


def _as_result(problem: Problem, rule_index: int) -> dict[str, object]:
    place = problem.place
    text = f"{problem.message}\nhint: {problem.hint}" if problem.hint else problem.message
    region = {"startLine": place.line, "startColumn": place.column}
    location = {"artifactLocation": {"uri": _as_uri(place.file)}, "region": region}
    return {
        "ruleId": problem.code,
        "ruleIndex": rule_index,
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    }


def _as_uri(path: str) -> str:
    """Return a path as a relative or file URI."""
    from urllib.parse import quote

    forward = path.replace("\\", "/")
    quoted = quote(forward, safe="/~")
    return f"file://{quoted}" if forward.startswith("/") else quoted
