"""What a person reads when a command does not end well, and the exit code that scripts read.

Owns the way from an exception to lines on standard error. Knows the words and typer's exceptions. Called by `main` only.
"""

from __future__ import annotations

import os
import re
import traceback
from typing import IO, Final

import typer

from ipaas.errors import InputError, IpaasError, Missing, ProblemsFound, SchemaMismatch

FAILED: Final = 1
WRONG_INPUT: Final = 2
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells count."""

_TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
"""What the settings take for true. `IPAAS_DEBUG` is read here and not there: what went wrong may be the settings."""


def report(error: BaseException, stream: IO[str]) -> int:
    """Write what happened and return the exit code."""
    leaves = _leaves(error)
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        _write(stream, "interrupted\n")
        return INTERRUPTED
    for leaf in leaves:
        if isinstance(leaf, SystemExit):
            return leaf.code if isinstance(leaf.code, int) else FAILED
    if all(isinstance(leaf, IpaasError) for leaf in leaves):
        _write(stream, "".join(describe(leaf) for leaf in leaves if isinstance(leaf, IpaasError)))
        wrong = (InputError, Missing, SchemaMismatch)
        return WRONG_INPUT if all(isinstance(leaf, wrong) for leaf in leaves) else FAILED
    if isinstance(error, typer.TyperException):
        _write(stream, _describe_usage(error))
        return WRONG_INPUT
    if isinstance(error, typer.Abort):
        _write(stream, "interrupted\n")
        return INTERRUPTED
    _write(stream, _describe_unexpected(error, leaves))
    return FAILED


def describe(error: IpaasError) -> str:
    """Return the lines for an error of ours: what happened, then how to mend it."""
    if isinstance(error, ProblemsFound):
        return "".join(f"{problem}\n" for problem in error.problems) + f"error: {error.message}\n"
    lines = "".join(f"error: {line}\n" for line in error.message.splitlines())
    return lines + (f"  hint: {error.hint}\n" if error.hint else "")


def _describe_usage(error: typer.TyperException) -> str:
    """Return the lines for wrong flags and arguments. typer keeps the classes private, so their names decide."""
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError":
        return error.format_message() + "\n"
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "ipaas"
    parameter = getattr(error, "param", None)
    named = _name_parameter(parameter)
    hint = (
        f"`{command} --help` shows how it is used"
        if context is not None
        else "`--help` after the command shows how it is used"
    )
    if kind == "NoSuchOption":
        flag = str(getattr(error, "option_name", ""))
        return describe(InputError(f"unknown flag `{flag}` of `{command}`", hint=_nearest_flag(flag, context) or hint))
    if kind == "MissingParameter":
        return describe(InputError(f"`{command}` needs `{named}`", hint=hint))
    if kind == "BadOptionUsage" and "requires" in error.message:
        return describe(InputError(f"`{getattr(error, 'option_name', '')}` needs a value", hint=hint))
    if (extra := re.search(r"unexpected extra argument.*\((.*)\)", error.message)) is not None:
        return describe(InputError(f"`{command}` does not take `{extra[1]}`", hint=hint))
    text = error.message if named else error.format_message()
    text = re.sub(r"'([^']*)'", r"`\1`", text.strip().rstrip("."))
    text = f"{text[:1].lower()}{text[1:]}"
    text = re.sub(r", unable to parse .*", "", text).removeprefix("value error, ")
    if named and text.startswith("input should be "):
        return describe(InputError(f"`{named}` must be {text.removeprefix('input should be ')}", hint=hint))
    return describe(InputError(f"`{named}`: {text}" if named else f"{text} (`{command}`)", hint=hint))


def _describe_unexpected(error: BaseException, leaves: list[BaseException]) -> str:
    """Return one line about a bug of ours; the traceback only when it was asked for."""
    first = leaves[0]
    text = f"error: unexpected {type(first).__name__}: {' '.join(str(first).split()) or 'no message'}\n"
    if os.environ.get("IPAAS_DEBUG", "").lower() in _TRUE:
        text += "".join(traceback.format_exception(error))
    return text + (
        "  hint: this is a bug in ipaas; run it again with `IPAAS_DEBUG=1` and report the traceback with `ipaas version`\n"
    )


def _write(stream: IO[str], text: str) -> None:
    """Write text without secrets and without what could move a cursor."""
    from ipaas.cli.secrets import get_redactor
    from ipaas.controls import escape_controls

    shown = get_redactor().text(text)
    try:
        stream.write("".join(f"{escape_controls(line)}\n" for line in shown.splitlines()))
        stream.flush()
    except (OSError, ValueError):
        return  # standard error is closed: there is nobody to tell, and the exit code still says it


def _leaves(error: BaseException) -> list[BaseException]:
    """Return the exceptions inside nested groups, in order; a plain exception is its own only leaf."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]


def _name_parameter(parameter: object) -> str:
    options: list[str] = [name for name in getattr(parameter, "opts", []) if name.startswith("-")]
    if options:
        return max(options, key=len)
    return str(getattr(parameter, "metavar", None) or getattr(parameter, "name", None) or "")


def _nearest_flag(flag: str, context: object) -> str:
    from ipaas.definition.nearest import find_nearest

    command = getattr(context, "command", None)
    known = [name for each in getattr(command, "params", []) for name in (*each.opts, *each.secondary_opts)]
    nearest = find_nearest(flag.lstrip("-"), [name.lstrip("-") for name in known if name.startswith("--")])
    return f"did you mean `--{nearest}`?" if nearest else ""
