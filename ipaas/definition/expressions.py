"""Expressions: text in, checked and compiled values out.

Owns `ExpressionCompiler`, which puts the parser, the checker and the evaluator together for one point of a file, and turns faults into
located problems and failures into `StepError`. Called by the compiler and by `templates`; what can be named where is theirs to say.

    text ─ text_parts ─► parts ─ syntax ─► tree ─ checker ─► types, faults ─ evaluator ─► closure
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipaas.definition.checker import Checker, Names, StepName, View
from ipaas.definition.evaluator import Maker, is_keyed
from ipaas.definition.guards import list_references, list_tested
from ipaas.definition.macros import MACRO_MAKERS
from ipaas.definition.nodes import shorten
from ipaas.definition.syntax import Call, Let, ListOf, Literal, MapOf, Name, Select, list_children, parse_expression
from ipaas.definition.syntax_errors import Fault
from ipaas.definition.text_parts import OPENING, Part, split_text
from ipaas.definition.types import ANYTHING, Shape, of_kind
from ipaas.definition.values import TYPE_NAMES, Budget, Failure, to_plain, write_text
from ipaas.errors import StepError
from ipaas.model import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from ipaas.definition.evaluator import Run
    from ipaas.definition.syntax import Node
    from ipaas.model import Expression, Json, Place, Schema

    PlaceAt: TypeAlias = Callable[[int], Place]

__all__ = ["Checked", "ExpressionCompiler", "Names", "StepName", "find_step_references", "find_tested_steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of a text.

    Attributes:
        expression: None when there are problems.
        shape: the type of the result as far as it is known.
    """

    expression: Expression | None
    problems: tuple[Problem, ...]
    shape: Shape = field(default=ANYTHING, repr=False)

    @property
    def schema(self) -> Schema:
        """JSON Schema of the result as far as it is known; `{}` is anything."""
        return self.shape.to_schema()


class ExpressionCompiler:
    """Compiles the expressions of one point of a file. Immutable, cheap to make, usable from any task and thread."""

    __slots__ = ("_bound", "_names")

    def __init__(self, names: Names) -> None:
        self._names = names
        self._bound = frozenset((*names.roots, "steps"))

    def with_roots(self, roots: Mapping[str, Schema]) -> ExpressionCompiler:
        """Return a compiler that knows these names too; they hide others of the same spelling."""
        names = self._names
        return ExpressionCompiler(
            Names(roots={**names.roots, **roots}, steps=names.steps, unreachable=names.unreachable, volume=names.volume)
        )

    def compile(self, text: str, place_at: PlaceAt) -> Checked:
        """Compile a bare expression, or a text with `${{ }}`: as fields do that are expressions by nature (`if`, `where`, `in`)."""
        return self.compile_text(text, place_at) if OPENING in text else self.compile_bare(text, place_at)

    def compile_bare(self, text: str, place_at: PlaceAt) -> Checked:
        """Compile one expression without `${{ }}`. `place_at` gives the place of a character of the text by its offset."""
        return self._compile_one(Part(len(text) - len(text.lstrip()), text.strip(), is_expression=True), text, place_at)

    def compile_text(self, text: str, place_at: PlaceAt) -> Checked:
        """Compile a text: exactly one `${{ }}` keeps its type, anything else is text, `$${{` is a literal `${{`."""
        parts = split_text(text)
        if isinstance(parts, Fault):
            return _refuse((_locate(parts, 0, place_at),))
        if is_whole(parts):
            return self._compile_one(parts[0], text, place_at)
        runs: list[Run | str] = []
        problems: list[Problem] = []
        for part in parts:
            if not part.is_expression:
                runs.append(part.text)
                continue
            made = self._make(part, place_at)
            problems += made.problems
            if made.run is not None:
                runs.append(_place_failures(made.run, part.at))
        if problems:
            return _refuse(tuple(problems))
        expression = CompiledExpression(place_at(0), text, _join(runs), place_at, needs_copy=True)
        return Checked(expression=expression, problems=(), shape=of_kind("string"))

    def _compile_one(self, part: Part, text: str, place_at: PlaceAt) -> Checked:
        made = self._make(part, place_at)
        if made.run is None:
            return Checked(expression=None, problems=made.problems, shape=made.shape)
        run = made.run if made.is_plain else _make_plain(made.run)
        run = _place_failures(run, part.at) if part.at else run
        expression = CompiledExpression(place_at(0), text, run, place_at, needs_copy=made.needs_copy)
        return Checked(expression=expression, problems=(), shape=made.shape)

    def _make(self, part: Part, place_at: PlaceAt) -> _Made:
        volume = self._names.volume
        if volume is not None and not volume.take(part.text):
            fault = volume.explain()
            return _Made(None, () if fault is None else (_locate(fault, part.at, place_at),), ANYTHING)
        node = parse_expression(part.text)
        if isinstance(node, Fault):
            return _Made(None, (_locate(node, part.at, place_at),), ANYTHING)
        checker = Checker(self._names)
        shape = checker.check(node, View())
        if checker.faults:
            faults = sorted(dict.fromkeys(checker.faults), key=lambda fault: fault.at)
            return _Made(None, tuple(_locate(fault, part.at, place_at) for fault in faults), shape)
        run = Maker(self._bound, frozenset(checker.whole_divisions)).make(node)
        return _Made(run, (), shape, is_plain=_is_plain(node), needs_copy=_binds_names(node))


@dataclass(frozen=True, slots=True)
class _Made:
    run: Run | None
    problems: tuple[Problem, ...]
    shape: Shape
    is_plain: bool = False
    needs_copy: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CompiledExpression:
    """A compiled text. Immutable, usable from any task and thread.

    A result may share lists and objects with the scope: who gets it must not change it.
    """

    place: Place
    text: str
    _run: Run = field(repr=False)
    _place_at: PlaceAt = field(repr=False)
    _needs_copy: bool = field(repr=False)

    def __init__(self, place: Place, text: str, run: Run, place_at: PlaceAt, *, needs_copy: bool) -> None:
        for name, value in (
            ("place", place),
            ("text", text),
            ("_run", run),
            ("_place_at", place_at),
            ("_needs_copy", needs_copy),
        ):
            object.__setattr__(self, name, value)

    def evaluate(self, scope: Mapping[str, Json]) -> Json:
        """Return the value in this scope as plain JSON. Raises `StepError(type="expression")` with the place."""
        budget = Budget(dict(scope) if self._needs_copy else scope)
        try:
            return self._run(budget)  # type: ignore[no-any-return]  # closures compute with any kind of value, the last step makes it plain
        except Failure as failure:
            raise self._explain(failure.message, failure.hint, failure.at) from None
        except RecursionError:
            raise self._explain("a value is nested too deeply", "take an inner part of it", None) from None
        except (OverflowError, MemoryError):
            raise self._explain("a number or a text is too large", "compute with smaller ones", None) from None

    def _explain(self, message: str, hint: str, at: int | None) -> StepError:
        place = self.place if at is None else self._place_at(at)
        return StepError(f"{place}: {message}, in `{shorten(self.text, 120)}`", type="expression", hint=hint)


def find_step_references(text: str, *, bare: bool = False) -> frozenset[str]:
    """Return the ids of the steps that a text names in its expressions; none when it cannot be read.

    Args:
        text: a text with `${{ }}`, or without any.
        bare: whether a text without `${{ }}` is one expression, as for `if`, `where` and `in`.
    """
    return frozenset(step_id for node in _list_trees(text, bare=bare) for step_id in list_references(node))


def find_tested_steps(text: str, *, bare: bool = True) -> frozenset[str]:
    """Return the ids of the steps that a condition asks whether they have run: behind it their output is there."""
    return frozenset(step_id for node in _list_trees(text, bare=bare) for step_id in list_tested(node))


def is_whole(parts: tuple[Part, ...]) -> bool:
    """Whether a text is exactly one `${{ }}`; the line end that a YAML block adds does not count."""
    return parts[0].is_expression and (len(parts) == 1 or (len(parts) == 2 and parts[1].text == "\n"))


def _list_trees(text: str, *, bare: bool) -> list[Node]:
    if OPENING not in text and not bare:
        return []
    parts = split_text(text) if OPENING in text else (Part(0, text.strip(), is_expression=True),)
    if isinstance(parts, Fault):
        return []
    trees = [parse_expression(part.text) for part in parts if part.is_expression]
    return [tree for tree in trees if not isinstance(tree, Fault)]


def _locate(fault: Fault, offset: int, place_at: PlaceAt) -> Problem:
    return Problem(place_at(offset + fault.at), fault.message, fault.code, fault.hint)


def _refuse(problems: tuple[Problem, ...]) -> Checked:
    return Checked(expression=None, problems=problems, shape=of_kind("string"))


def _make_plain(run: Run) -> Run:
    return lambda budget: to_plain(run(budget), budget)


def _place_failures(run: Run, offset: int) -> Run:
    """Let failures count from the beginning of the whole text."""

    def placed(budget: Budget) -> Any:
        try:
            return run(budget)
        except Failure as failure:
            failure.at = offset if failure.at is None else failure.at + offset
            raise

    return placed


def _join(runs: list[Run | str]) -> Run:
    def join(budget: Budget) -> str:
        text = "".join([run if isinstance(run, str) else write_text(run(budget), budget) for run in runs])
        budget.spend_text(len(text))
        return text

    return join


def _binds_names(node: Node) -> bool:
    """Whether evaluation binds loop variables, and so must not work on the caller's scope itself."""
    if isinstance(node, Let) or (isinstance(node, Call) and (node.function in MACRO_MAKERS or is_keyed(node))):
        return True
    return any(_binds_names(child) for child in list_children(node))


_PLAIN_RESULTS = frozenset(
    {
        "_==_",
        "_!=_",
        "_<_",
        "_<=_",
        "_>_",
        "_>=_",
        "_&&_",
        "_||_",
        "!_",
        "@in",
        "_*_",
        "_/_",
        "_%_",
        "has",
        "all",
        "exists",
        "size",
        "sum",
    }
)
_PASSED_THROUGH = frozenset({"filter", "sort_by", "unique", "slice", "_[_]"})
"""Calls whose result is part of what they are given first."""


def _is_plain(node: Node) -> bool:
    """Whether the result is plain JSON by itself, so that a large list that only passes through need not be walked.

    Loops that make lists are not among them: they can repeat a part without end, and the walk counts the repetitions.
    """
    match node:
        case Literal():
            return not isinstance(node.value, bytes)
        case Name():
            return node.name not in TYPE_NAMES
        case Select():
            return not node.is_optional and _is_plain(node.operand)
        case ListOf():
            return not node.optional and all(_is_plain(item) for item in node.items)
        case MapOf():
            return all(not entry.is_optional and _is_plain(entry.value) for entry in node.entries)
        case Call(function="_?_:_"):
            return all(_is_plain(each) for each in node.arguments[1:])
        case Call() if node.function in _PASSED_THROUGH:
            return _is_plain(node.target if node.target is not None else node.arguments[0])
        case Call():
            return node.function in _PLAIN_RESULTS
        case _:
            return False
