"""Inputs as people type them: `--input k=v` and `--inputs-file`.

Owns how text on a command line becomes JSON values. Whether they fit the workflow is judged by the engine.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from ipaas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ipaas.model import Json, Workflow


def read_inputs(pairs: Sequence[str], file: Path | None, workflow: Workflow) -> dict[str, Json]:
    """Return the inputs; a pair wins over the file.

    Args:
        pairs: `name=value` each. A value for an input whose type is `string` is taken as it is; any other is JSON when it can be
            read as JSON, else text.
        file: a JSON object, `-` for standard input; or YAML with the same rules as pipeline files.

    Raises:
        InputError: a pair without `=`, a name twice, or a file that cannot be read as an object.
    """
    inputs = dict(_read_file(file)) if file is not None else {}
    types = {spec.name: spec.schema.get("type") for spec in workflow.inputs}
    seen: set[str] = set()
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InputError(f"`--input` must be `name=value`, not `{pair}`")
        if name in seen:
            raise InputError(f"input `{name}` is given twice")
        seen.add(name)
        inputs[name] = text if types.get(name) == "string" else _parse(text)
    return inputs


def _parse(text: str) -> Json:
    try:
        value: Json = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _read_file(path: Path) -> Mapping[str, Json]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"cannot read inputs from `{path}`: {str(reason).lower()}") from error
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        value = _read_yaml(text, path)
    if not isinstance(value, dict):
        raise InputError(f"`{path}` must hold one object of inputs", hint='for example {"minimum": 500}')
    return value


def _read_yaml(text: str, path: Path) -> Json:
    from ipaas.definition.source import read_source
    from ipaas.errors import ProblemsFound

    source = read_source(text.encode("utf-8"), str(path))
    if source.problems or source.root is None:
        raise ProblemsFound(source.problems)
    value: Json = source.root.value
    return value
