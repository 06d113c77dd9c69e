"""The actions of `data` that read and write text formats: `parse_<format>` and `format_<format>` for each.

Owns the actions' inputs and outputs. Each format has its module; `work` decides whether it runs in a thread. Annotations are read at run time, so this module does without `from __future__ import annotations`.
"""

from functools import partial
from typing import Annotated

from ipaas.plugin import Context, Doc, Fatal, Json, JsonObject

from . import csv_text, json_text, markdown_table, yaml_text
from .connector import data
from .each import as_objects
from .work import measure, work

Text = Annotated[str, Doc("the text")]
Delimiter = Annotated[str, Doc('the character between cells; a tab is "\\t"')]
Quote = Annotated[str, Doc("the character around cells that contain special ones")]
Rows = Annotated[list[JsonObject], Doc("one object for each row")]
Indent = Annotated[int, Doc("spaces for each level; 0 is everything in one line")]


def _check_indent(indent: int) -> None:
    if not 0 <= indent <= 16:
        raise Fatal(f"`indent` is {indent}, and must be between 0 and 16", type="validation")


@data.action(effect="read", pure=True)
async def parse_json(ctx: Context, text: Text) -> Json:
    """Read JSON (RFC 8259). Infinities and values of more than 60 levels are refused."""
    return await work(partial(json_text.parse_json, text), len(text))


@data.action(effect="read", pure=True)
async def format_json(
    ctx: Context,
    value: Annotated[Json, Doc("any value")],
    indent: Indent = 0,
    sort_keys: Annotated[bool, Doc("write the keys of objects in alphabetical order")] = False,
) -> str:
    """Write a value as JSON."""
    _check_indent(indent)
    return await work(partial(json_text.format_json, value, indent=indent, sort_keys=sort_keys), measure(value))


@data.action(effect="read", pure=True)
async def parse_json_lines(ctx: Context, text: Text) -> list[Json]:
    """Read JSON lines (also called NDJSON): one value in each line; blank lines are skipped."""
    return await work(partial(json_text.parse_json_lines, text), len(text))


@data.action(effect="read", pure=True)
async def format_json_lines(ctx: Context, items: Annotated[list[Json], Doc("one value for each line")]) -> str:
    """Write a list as JSON lines: one value in each line, each line ended by a line feed."""
    return await work(partial(json_text.format_json_lines, items), measure(items))


@data.action(effect="read", pure=True)
async def parse_csv(
    ctx: Context,
    text: Text,
    delimiter: Delimiter = ",",
    quote: Quote = '"',
    columns: Annotated[list[str], Doc("names of the columns, for text without a header row")] = [],  # noqa: B006  # each call gets its own copy
    numbers: Annotated[
        bool | list[str],
        Doc(
            "true: each column of nothing but numbers and empty cells becomes numbers and null; or the names of the columns that must"
        ),
    ] = False,
) -> list[JsonObject]:
    """Read CSV: one object for each row, its keys the names in the header row.

    Cells are text, unless `numbers` says otherwise; `007` and whole numbers beyond 2^53 stay text even then, so that identifiers
    keep their digits. A row with more or fewer cells than the header is an error that names its line.
    """
    read = partial(csv_text.parse_csv, text, delimiter=delimiter, quote=quote, columns=columns, numbers=numbers)
    return [*await work(read, len(text))]


@data.action(effect="read", pure=True)
async def format_csv(
    ctx: Context,
    items: Rows,
    columns: Annotated[list[str], Doc("which keys, in which order; default: all, as they first come")] = [],  # noqa: B006  # each call gets its own copy
    delimiter: Delimiter = ",",
    quote: Quote = '"',
    header: Annotated[bool, Doc("begin with the names of the columns")] = True,
) -> str:
    """Write objects as CSV, lines ended by a line feed.

    Null and missing fields are empty cells; lists and objects within a row are written as JSON.
    """
    rows = as_objects(items, "items")
    return await work(
        partial(csv_text.format_csv, rows, columns=columns, delimiter=delimiter, quote=quote, header=header),
        measure(rows),
    )


@data.action(effect="read", pure=True)
async def format_markdown_table(
    ctx: Context,
    items: Rows,
    columns: Annotated[list[str], Doc("which keys, in which order; default: all, as they first come")] = [],  # noqa: B006  # each call gets its own copy
) -> str:
    """Write objects as a Markdown table. Columns of numbers are set to the right."""
    rows = as_objects(items, "items")
    return await work(partial(markdown_table.format_markdown_table, rows, columns=columns), measure(rows))


@data.action(effect="read", pure=True)
async def parse_xml(
    ctx: Context,
    text: Text,
    lists: Annotated[list[str], Doc("names of elements that are lists even when there is only one")] = [],  # noqa: B006  # each call gets its own copy
) -> JsonObject:
    """Read XML: an object with one key, the name of the root element.

    An element of text only is its text. Any other is an object: attributes by `@name`, children by name (a list where a name comes more
    than once), text beside them by `#text`. Prefixes stay as written. Entity declarations are refused.
    """
    from . import xml_text  # loads a parser: 80 ms that other pipelines do not wait for

    return await work(partial(xml_text.parse_xml, text, lists=lists), len(text))


@data.action(effect="read", pure=True)
async def format_xml(
    ctx: Context,
    value: Annotated[JsonObject, Doc("an object with one key, the name of the root element")],
    indent: Indent = 0,
    declaration: Annotated[bool, Doc("begin with `<?xml …?>`")] = True,
) -> str:
    """Write an object as XML, by the convention of `data.parse_xml`."""
    from . import xml_text  # as above

    _check_indent(indent)
    return await work(partial(xml_text.format_xml, value, indent=indent, declaration=declaration), measure(dict(value)))


@data.action(effect="read", pure=True)
async def parse_yaml(ctx: Context, text: Text) -> Json:
    """Read one document of YAML 1.2. Merge keys, tags and keys that come twice are refused."""
    return await work(partial(yaml_text.parse_yaml, text), len(text))


@data.action(effect="read", pure=True)
async def format_yaml(ctx: Context, value: Annotated[Json, Doc("any value")]) -> str:
    """Write a value as YAML that readers of YAML 1.1 and 1.2 understand alike."""
    return await work(partial(yaml_text.format_yaml, value), measure(value))
