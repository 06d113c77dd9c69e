"""The form in which the CEL parser hands over its tree.

Owns the description of `cel.expr.ParsedExpr` as a protobuf class that is made at run time, since no package ships it. Only field numbers
and types matter on the wire. Source: github.com/google/cel-spec, proto/cel/expr/syntax.proto. Called by `syntax`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto

_PACKAGE: Final = "ipaas.syntax"

# message: field, number, type; `*` repeated, `|oneof` a member of that oneof. Fields that are not read are left out.
_MESSAGES: Final[dict[str, tuple[tuple[str, int, str], ...]]] = {
    "ParsedExpr": (("expr", 2, "Expr"), ("source_info", 3, "SourceInfo")),
    "SourceInfo": (("positions", 4, "{int64:int32}"),),
    "Expr": (
        ("id", 2, "int64"),
        ("const_expr", 3, "Constant|kind"),
        ("ident_expr", 4, "Ident|kind"),
        ("select_expr", 5, "SelectField|kind"),
        ("call_expr", 6, "CallFunction|kind"),
        ("list_expr", 7, "CreateList|kind"),
        ("struct_expr", 8, "CreateStruct|kind"),
        ("comprehension_expr", 9, "Comprehension|kind"),
    ),
    "Ident": (("name", 1, "string"),),
    "SelectField": (("operand", 1, "Expr"), ("field", 2, "string")),
    "CallFunction": (("target", 1, "Expr"), ("function", 2, "string"), ("args", 3, "*Expr")),
    "CreateList": (("elements", 1, "*Expr"), ("optional_indices", 2, "*int32")),
    "CreateStruct": (("message_name", 1, "string"), ("entries", 2, "*Entry")),
    "Entry": (("map_key", 3, "Expr"), ("value", 4, "Expr"), ("optional_entry", 5, "bool")),
    "Comprehension": (("accu_var", 3, "string"), ("accu_init", 4, "Expr"), ("result", 7, "Expr")),
    "Constant": (
        ("null_value", 1, "int32|constant_kind"),
        ("bool_value", 2, "bool|constant_kind"),
        ("int64_value", 3, "int64|constant_kind"),
        ("uint64_value", 4, "uint64|constant_kind"),
        ("double_value", 5, "double|constant_kind"),
        ("string_value", 6, "string|constant_kind"),
        ("bytes_value", 7, "bytes|constant_kind"),
    ),
}


@lru_cache(maxsize=1)
def get_message_class() -> Any:
    """Return the class of `ParsedExpr`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="ipaas/syntax.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            _add_field(message, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ParsedExpr"))


def _add_field(message: DescriptorProto, name: str, number: int, kind: str) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    repeated = kind.startswith(("*", "{"))
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    kind, _, oneof = kind.lstrip("*").partition("|")
    if kind.startswith("{"):
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        for index, part in enumerate(kind.strip("{}").split(":")):
            _add_field(entry, ("key", "value")[index], index + 1, part)
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{message.name}.{entry.name}"
    elif kind in _MESSAGES:
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    if oneof:
        if not message.oneof_decl:
            message.oneof_decl.add(name=oneof)
        field.oneof_index = 0
