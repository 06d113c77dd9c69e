"""A small catalog of actions like the bundled ones, fixed so that messages in snapshots change only when the checker does."""

from typing import Any

from ipaas.model import ActionSpec, Catalog

TEXT: dict[str, Any] = {"type": "string"}
HTTP_OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {"status": {"type": "integer"}, "headers": {"type": "object", "additionalProperties": TEXT}, "body": {}},
    "required": ["status", "headers", "body"],
    "additionalProperties": False,
}  # fmt: skip


def spec(name: str, properties: dict[str, Any], required: list[str], output: dict[str, Any], **more: Any) -> ActionSpec:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return ActionSpec(name=name, summary=name, input_schema=schema, output_schema=output, **{"effect": "read", **more})


HEADERS = {"type": "object", "additionalProperties": TEXT, "default": {}}
PAGINATE = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "next": {"type": "string", "x-ipaas-expression": ["page"]},
                "items": {"type": "string", "x-ipaas-expression": ["page"]},
                "max_pages": {"type": "integer", "minimum": 1, "default": 100},
            },
            "required": ["next"],
            "additionalProperties": False,
        },
        {"type": "null"},
    ],
    "default": None,
}

CATALOG: Catalog = {
    each.name: each
    for each in (
        spec("http.get", {"url": TEXT, "query": HEADERS, "headers": HEADERS, "paginate": PAGINATE}, ["url"], HTTP_OUTPUT, takes_credential=True),
        spec("http.post", {"url": TEXT, "headers": HEADERS, "json": {}}, ["url"], HTTP_OUTPUT, takes_credential=True, effect="write"),
        spec("flow.log", {"message": {}, "level": {"type": "string", "enum": ["debug", "info", "warning", "error"], "default": "info"}}, ["message"], {"type": "null"}),
        spec("flow.fail", {"message": TEXT}, ["message"], {"type": "null"}),
        ActionSpec(name="flow.set", effect="read", summary="flow.set", input_schema={"type": "object"}, output_schema={"type": "object"}),
        spec(
            "data.map",
            {"items": {"type": "array"}, "to": {"type": "string", "x-ipaas-expression": ["item", "index"]}},
            ["items", "to"],
            {"type": "array"},
        ),
        spec(
            "orders.list",
            {"limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}, "tags": {"type": "array", "items": TEXT}},
            [],
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"id": TEXT, "total": {"type": "number"}, "customer": {"type": "object", "properties": {"name": TEXT, "mail": TEXT}, "required": ["name"], "additionalProperties": False}},
                    "required": ["id", "total", "customer"],
                    "additionalProperties": False,
                },
            },
        ),
    )
}  # fmt: skip
