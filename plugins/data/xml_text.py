"""XML: text to value and back, by one written convention.

    <order id="7"><item>pen</item><item>ink</item><note/></order>
    {"order": {"@id": "7", "item": ["pen", "ink"], "note": ""}}

An element with neither attributes nor children is its text, exactly. Any other is an object: attributes by `@name`, children by name
(a list when a name comes more than once, or is asked to be one), text by `#text` with the white space around it removed. Prefixes stay as written.
Comments and processing instructions are left out. Document types are passed over and never fetched; entity declarations are refused,
so that nothing can unfold (defusedxml). Pure; knows nothing of actions.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final
from xml.sax.handler import ContentHandler, feature_external_ges  # names only; the parser below is the defused one
from xml.sax.saxutils import escape, quoteattr  # these write, they do not parse
from xml.sax.xmlreader import InputSource  # a holder of the text and its encoding

from ipaas.plugin import Fatal

from .json_text import MAX_DEPTH
from .keys import name_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.sax.xmlreader import AttributesImpl, Locator

    from ipaas.plugin import Json, JsonObject

_NAME: Final = re.compile(r"[^\W\d][\w.\-]*(?::[^\W\d][\w.\-]*)?")
"""A tag or attribute name, with at most one prefix (Namespaces in XML 1.0, section 4); the few rarer characters are refused."""
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (section 2.2)."""


def parse_xml(text: str, *, lists: Sequence[str] = ()) -> dict[str, Json]:
    """Return an object with one key, the root element's name.

    Args:
        lists: names of elements that are always lists, also when there is one.

    Raises:
        Fatal: of type `validation`, with line and column.
    """
    from xml.sax import SAXParseException

    from defusedxml.common import DefusedXmlException
    from defusedxml.sax import make_parser

    handler = _Reader(frozenset(lists))
    parser = make_parser()
    parser.setContentHandler(handler)
    # A document type that stands elsewhere (property lists, old feeds) is passed over, not fetched: that is what the feature is for.
    parser.forbid_external = False
    parser.setFeature(feature_external_ges, False)  # noqa: FBT003  # the interface's own signature
    source = InputSource()
    source.setByteStream(io.BytesIO(text.removeprefix("\ufeff").encode()))
    source.setEncoding("utf-8")  # the text is decoded already, whatever its declaration says
    try:
        parser.parse(source)
    except DefusedXmlException:
        raise Fatal(
            "the XML declares entities, which are refused",
            type="validation",
            hint="they can unfold to gigabytes; write what they stand for",
        ) from None
    except SAXParseException as error:
        where = f"line {error.getLineNumber()} column {(error.getColumnNumber() or 0) + 1}"
        raise Fatal(f"not XML at {where}: {error.getMessage()}", type="validation") from None
    return handler.result


class _Element:
    """An element that is not closed yet."""

    __slots__ = ("attributes", "children", "name", "texts")

    def __init__(self, name: str, attributes: dict[str, Json]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: dict[str, list[Json]] = {}
        self.texts: list[str] = []


class _Reader(ContentHandler):
    """Builds the value from the parser's events; needs no recursion."""

    def __init__(self, lists: frozenset[str]) -> None:
        super().__init__()
        self.lists = lists
        self.open: list[_Element] = []
        self.result: dict[str, Json] = {}
        self.locator: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802  # the interface's name
        self.locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802  # the interface's name
        if len(self.open) == MAX_DEPTH // 2:  # each level is up to two of JSON: an object and a list
            line = self.locator.getLineNumber() if self.locator else 0
            raise Fatal(
                f"the XML has more than {MAX_DEPTH // 2} levels at line {line}",
                type="validation",
                hint="flatten it where it is made",
            )
        self.open.append(_Element(name, {f"@{key}": value for key, value in attrs.items()}))

    def characters(self, content: str) -> None:
        self.open[-1].texts.append(content)

    def skippedEntity(self, name: str) -> None:  # noqa: N802  # the interface's name
        line = self.locator.getLineNumber() if self.locator else 0
        raise Fatal(
            f"the XML names the entity `{name}` at line {line}, which is not declared in it",
            type="validation",
            hint="write the character itself",
        )

    def endElement(self, name: str) -> None:  # noqa: N802  # the interface's name
        element = self.open.pop()
        value = self.close(element)
        if self.open:
            self.open[-1].children.setdefault(name, []).append(value)
        else:
            self.result = {name: [value] if name in self.lists else value}

    def close(self, element: _Element) -> Json:
        text = "".join(element.texts)
        if not element.attributes and not element.children:
            return text
        value: dict[str, Json] = dict(element.attributes)
        for name, values in element.children.items():
            value[name] = values if len(values) > 1 or name in self.lists else values[0]
        if text := text.strip():
            value["#text"] = text
        return value


def format_xml(value: JsonObject, *, indent: int = 0, declaration: bool = True) -> str:
    """Return the object, whose one key is the root's name, as XML; the inverse of `parse_xml`.

    Null and empty text are an empty element, a list is one element for each entry, booleans and numbers are written as JSON.

    Raises:
        Fatal: of type `validation`, naming the place within the value.
    """
    roots = list(value.items())
    if len(roots) != 1 or isinstance(roots[0][1], list):
        raise Fatal(
            f"the value has {len(roots)} keys, XML has one root"
            if len(roots) != 1
            else f"`{roots[0][0]}` is a list, XML has one root",
            type="validation",
            hint='put it into an object with one key, as in `{"orders": {"order": …}}`',
        )
    name, content = roots[0]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n' if declaration else ""
    body = ("\n" if indent else "").join(_write_element(name, content, name, 0, indent))
    return f"{head}{body}\n"


def _write_element(name: str, content: Json, path: str, level: int, indent: int) -> Iterator[str]:
    """Yield the element's lines; without indentation they are joined as they are."""
    _check_name(name, path)
    pad = " " * (indent * level)
    if isinstance(content, list):
        raise Fatal(
            f"`{path}` is a list within a list, which XML cannot say",
            type="validation",
            hint="put an object around the inner list",
        )
    if not isinstance(content, dict):
        yield f"{pad}{_wrap(name, '', _write_text(content, path))}"
        return
    attributes = "".join(
        f" {_check_name(key[1:], f'{path}.{key}')}={_write_attribute(item, f'{path}.{key}')}"
        for key, item in content.items()
        if key.startswith("@")
    )
    text = _write_text(content.get("#text"), f"{path}.#text")
    children = {key: item for key, item in content.items() if not key.startswith("@") and key != "#text"}
    if not children:
        yield f"{pad}{_wrap(name, attributes, text)}"
        return
    # White space beside text means something to whoever reads it, so an element with text and children stays in one line.
    inner = 0 if text else indent
    lines = [
        line
        for key, item in children.items()
        for position, entry in enumerate(item if isinstance(item, list) else [item])
        for line in _write_element(
            key, entry, f"{path}.{key}[{position}]" if isinstance(item, list) else f"{path}.{key}", level + 1, inner
        )
    ]
    if not inner:
        yield f"{pad}{_wrap(name, attributes, text + ''.join(lines))}"
        return
    yield f"{pad}<{name}{attributes}>"
    yield from lines
    yield f"{pad}</{name}>"


def _wrap(name: str, attributes: str, content: str) -> str:
    return f"<{name}{attributes}>{content}</{name}>" if content else f"<{name}{attributes}/>"


def _write_text(value: Json, path: str) -> str:
    # A bare carriage return would come back as a line feed (XML 1.0, section 2.11).
    return escape(_plain_text(value, path), {"\r": "&#13;"})


def _write_attribute(value: Json, path: str) -> str:
    # In attributes, tabs and line ends would come back as spaces (section 3.3.3).
    return quoteattr(_plain_text(value, path), {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


def _plain_text(value: Any, path: str) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise Fatal(f"`{path}` is {name_type(value)}, not text", type="validation", hint="only elements have children")
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if found := _FORBIDDEN.search(text):
        raise Fatal(
            f"`{path}` has the character U+{ord(found[0]):04X}, which XML cannot hold",
            type="validation",
            hint="remove it, or encode the text as base64",
        )
    return text


def _check_name(name: str, path: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise Fatal(
            f"`{path}`: `{name}` cannot be an XML name",
            type="validation",
            hint="a name begins with a letter or `_` and has no spaces",
        )
    return name
