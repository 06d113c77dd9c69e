"""What an action of `http` gives back.

Owns the decision between JSON, text and base64, and which statuses are answers. Pure. Called by `sending` and the actions.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from ipaas.plugin import Doc, Fatal, Json, StepError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.plugin import Response

MAX_DEPTH: Final = 60
"""Levels of a JSON body. A step's output may have 64, and the body stands within it."""

_TEXT_TYPES: Final = frozenset(
    {
        "application/xml", "application/javascript", "application/ecmascript", "application/x-www-form-urlencoded", "application/yaml",
        "application/x-yaml", "application/toml", "application/x-ndjson", "application/jsonl", "application/sql", "application/graphql",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, or to the requests for all pages."""

    status: Annotated[int, Doc("the status code; of the last page")]
    headers: Annotated[
        dict[str, str], Doc("by name in lower case, several of one name joined by `, `; of the last page")
    ]
    body: Annotated[Json, Doc("by `encoding`; with `paginate` the list of all items")]
    encoding: Annotated[
        Literal["json", "text", "base64"],
        Doc("what the body is: any JSON value, text, or bytes that are no text as base64"),
    ]
    pages: Annotated[int, Doc("how many requests it took")]


def read_body(response: Response) -> tuple[Json, Literal["json", "text", "base64"]]:
    """Return the body and what it is.

    JSON when the answer says so; an empty body is then null, as it is without a content type. Bytes are text when the answer says so or
    when they are UTF-8 without NUL.

    Raises:
        StepError: of type `server_error`: the body is not the JSON that the answer says it is.
    """
    if not response.content:
        return ("", "text") if response.media_type and not response.is_json else (None, "json")
    if response.is_json:
        return _checked(response), "json"
    media_type = response.media_type
    says_text = media_type.startswith("text/") or media_type.endswith(("+xml", "+yaml")) or media_type in _TEXT_TYPES
    if says_text or "charset=" in response.headers.get("content-type", "").lower():
        return response.text, "text"
    try:
        text = response.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:
        return text, "text"
    return base64.b64encode(response.content).decode("ascii"), "base64"


def _checked(response: Response) -> Json:
    """Return the JSON body unless it is too deep to work with."""
    value = response.json()
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return value
    raise StepError(
        f"`{response.url.partition('?')[0]}` answered with JSON of more than {MAX_DEPTH} levels",
        type="server_error",
        hint="ask for less of it",
    )


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


Expected = int | str
"""A status, or a class of them: `2xx`."""


def read_expected(given: Expected | Sequence[Expected] | None) -> frozenset[int]:
    """Return the statuses that are answers and not errors; without any, 200 to 299.

    Raises:
        Fatal: of type `validation`: an entry is no status.
    """
    entries = [given] if isinstance(given, (int, str)) else given
    if not entries:
        return frozenset(range(200, 300))
    statuses: set[int] = set()
    for entry in entries:
        text = str(entry).lower()
        if re.fullmatch(r"[1-5]xx", text):
            first = int(text[0]) * 100
            statuses.update(range(first, first + 100))
        elif re.fullmatch(r"[1-5][0-9][0-9]", text):
            statuses.add(int(text))
        else:
            raise Fatal(
                f"`expect_status` has `{entry}`, which is no status",
                type="validation",
                hint="as in `[200, 404]` or `2xx`",
            )
    return frozenset(statuses)
