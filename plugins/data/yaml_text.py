"""YAML: text to value and back, by the core schema of YAML 1.2.2 (section 10.3).

Only `true` and `false` are booleans; `no`, `12:30` and `2024-01-01` stay text; `014` is 14. Keys are always text. Refused: merge keys, tags
beyond the core ones, keys that come twice, aliases within themselves, several documents. Reading is bounded: events do not recurse, and
an alias counts as much as what it stands for. Pure; knows nothing of actions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ipaas.plugin import Fatal

from .json_text import MAX_DEPTH, check_value
from .keys import name_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import Event

    from ipaas.plugin import Json

MAX_NODES: Final = 1_000_000
"""Values after aliases are followed: a text of 10 MiB has no more, unless its aliases unfold."""

_CORE: Final = "tag:yaml.org,2002:"
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,4000}")
_BASED: Final = re.compile(r"0o[0-7]{1,4000}|0x[0-9a-fA-F]{1,4000}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def parse_yaml(text: str) -> Json:
    """Return the value of the one document; empty text is null.

    Raises:
        Fatal: of type `validation`, with line and column.
    """
    import yaml
    from yaml.reader import ReaderError

    composer = _Composer()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, Loader=loader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise Fatal(f"not YAML{where}: {error.problem or error.context}", type="validation") from None
    except ReaderError as error:
        raise Fatal(f"not YAML: {error.reason} at character {error.position + 1}", type="validation") from None
    check_value(composer.root, "YAML")
    return composer.root


class _Open:
    """A list or object that is not closed yet."""

    __slots__ = ("anchor", "before", "key", "value")

    def __init__(self, value: list[Any] | dict[str, Any], anchor: str | None, before: int) -> None:
        self.value = value
        self.anchor = anchor
        self.before = before
        self.key: str | None = None


class _Composer:
    """Builds one value from events; the stack is a list, so that depth costs no recursion."""

    def __init__(self) -> None:
        self.root: Json = None
        self.documents = 0
        self.nodes = 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Json, int] | None] = {}
        """What each anchor stands for and how many values that is; None while it is open."""

    def take(self, event: Event) -> None:
        """Take the next event."""
        import yaml

        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise _refuse(event, "a second document begins", "split the text at `---` first")
            case yaml.ScalarEvent():
                if self.expects_key():
                    self.set_key(event.value, event, is_plain=event.implicit[0])
                    self.name(event.anchor, event.value, 1)
                else:
                    self.count(1, event)
                    value = _read_scalar(event)
                    self.name(event.anchor, value, 1)
                    self.add(value)
            case yaml.AliasEvent():
                self.follow(event)
            case yaml.SequenceStartEvent():
                self.begin([], event, "seq")
            case yaml.MappingStartEvent():
                self.begin({}, event, "map")
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                done = self.stack.pop()
                self.name(done.anchor, done.value, self.nodes - done.before)
                self.add(done.value)
            case _:
                pass

    def expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def begin(self, value: list[Any] | dict[str, Any], event: Any, kind: str) -> None:
        if event.tag not in (None, "!", f"{_CORE}{kind}"):
            raise _refuse(event, f"the tag `{event.tag}` is refused", "leave tags out")
        if self.expects_key():
            raise _refuse(event, f"a key is {name_type(value)}, not text", "write keys as text")
        if len(self.stack) >= MAX_DEPTH:
            raise _refuse(event, f"more than {MAX_DEPTH} levels", "flatten it where it is made")
        before = self.nodes
        self.count(1, event)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(value, event.anchor, before))

    def follow(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise _refuse(
                event,
                f"the alias `*{event.anchor}` has no anchor before it",
                f"write `&{event.anchor}` where it is defined",
            )
        found = self.anchors[event.anchor]
        if found is None:
            raise _refuse(event, f"the alias `*{event.anchor}` stands within itself", "write the value out")
        value, size = found
        if self.expects_key():
            if not isinstance(value, str):
                raise _refuse(event, f"a key is {name_type(value)}, not text", "write keys as text")
            self.set_key(value, event, is_plain=False)
            return
        self.count(size, event)
        self.add(value)

    def count(self, nodes: int, event: Event) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _refuse(event, f"more than {MAX_NODES} values after aliases are followed", "write fewer aliases")

    def name(self, anchor: str | None, value: Json, size: int) -> None:
        if anchor:
            self.anchors[anchor] = (value, size)

    def set_key(self, key: str, event: Event, *, is_plain: bool) -> None:
        if key == "<<" and is_plain:
            raise _refuse(event, "merge keys (`<<`) are not part of YAML 1.2", "write the keys out")
        holder = self.stack[-1]
        if key in holder.value:
            raise _refuse(event, f"the key `{key}` comes twice", "remove one")
        holder.key = key

    def add(self, value: Json) -> None:
        if not self.stack:
            self.root = value
            return
        holder = self.stack[-1]
        if isinstance(holder.value, list):
            holder.value.append(value)
        elif holder.key is not None:
            holder.value[holder.key] = value
            holder.key = None


def _read_scalar(event: Any) -> Json:
    """Return the scalar's value by its tag, or by its text when it has none."""
    tag = event.tag.removeprefix(_CORE) if event.tag else None
    if tag in ("str", "!") or (tag is None and not event.implicit[0]):
        return str(event.value)
    if tag not in (None, "int", "float", "bool", "null"):
        raise _refuse(event, f"the tag `{event.tag}` is refused", "leave tags out")
    if _NOT_FINITE.fullmatch(event.value):
        raise _refuse(event, f"the number `{event.value}` is not finite", "write null or text")
    value = resolve(event.value)
    if tag == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if tag is not None and type(value).__name__.replace("NoneType", "null") != tag:
        raise _refuse(event, f"`{event.value}` is no `!!{tag}`", "leave tags out")
    return value


def resolve(text: str) -> bool | int | float | str | None:
    """Return the value of a scalar without quotes by the core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def _refuse(event: Event, message: str, hint: str) -> Fatal:
    mark = event.start_mark
    where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
    return Fatal(f"YAML{where}: {message}", type="validation", hint=hint)


def format_yaml(value: Json) -> str:
    """Return the value as block-style YAML, which readers of YAML 1.1 and 1.2 understand alike."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    events = [
        yaml.StreamStartEvent(),
        yaml.DocumentStartEvent(explicit=False),
        *_write(value),
        yaml.DocumentEndEvent(explicit=False),
        yaml.StreamEndEvent(),
    ]
    # A width that is never reached: folded lines are hard to read back by eye, and some readers fold differently.
    return str(yaml.emit(events, Dumper=dumper, allow_unicode=True, width=2**30))


def _write(value: Any) -> Iterator[Event]:
    """Yield the value's events."""
    import yaml

    if isinstance(value, dict):
        yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=not value)
        for key, item in value.items():
            yield _write_text(key)
            yield from _write(item)
        yield yaml.MappingEndEvent()
    elif isinstance(value, list):
        yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=not value)
        for item in value:
            yield from _write(item)
        yield yaml.SequenceEndEvent()
    elif isinstance(value, str):
        yield _write_text(value)
    else:
        yield yaml.ScalarEvent(None, None, (True, False), _write_number(value))


def _write_number(value: bool | float | None) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    # YAML 1.1 wants a fraction and a sign before it takes `1e+16` for a number.
    return text.replace("e", ".0e", 1) if "e" in text and "." not in text else text


def _write_text(text: str) -> Event:
    """Return the text's event: bare where every reader takes it for text, as a block where it has lines, else quoted."""
    import yaml

    if "\n" in text.rstrip("\n") and not text[0].isspace():
        return yaml.ScalarEvent(None, None, (False, True), text, style="|")
    candidates = yaml.SafeDumper.yaml_implicit_resolvers.get(text[:1], [])
    is_text = isinstance(resolve(text), str) and not any(pattern.match(text) for _, pattern in candidates)
    return yaml.ScalarEvent(None, None, (is_text, True), text)
