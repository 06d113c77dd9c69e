"""A file as the body of a request: as it is, or as a field of a form (multipart/form-data, RFC 7578).

Owns the input `file` and the multipart encoding. Reads below the files root only. Called by `sending`.
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING, Annotated, ClassVar

import trio

from ipaas.plugin import Context, Doc, Fatal, FileTree, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """A file to send."""

    path: Annotated[str, Doc("relative to the files root")]
    field: Annotated[str, Doc("send it as this field of a multipart form; default: the file alone is the body")] = ""
    filename: Annotated[str, Doc("the name given to the other side; default: the file's own")] = ""
    content_type: Annotated[str, Doc("default: by the file's ending")] = ""
    fields: Annotated[dict[str, str], Doc("further fields of the form")] = dataclasses.field(default_factory=dict)

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


async def read_upload(ctx: Context, file: str | Upload) -> tuple[bytes, dict[str, str]]:
    """Return the body and the header that says what it is.

    Raises:
        StepError: the file cannot be read, see `FileTree.read`.
        Fatal: of type `validation`: form fields without the file's own field.
    """
    import mimetypes  # 4 ms that requests without a file do not wait for

    upload = Upload(file) if isinstance(file, str) else file
    if upload.fields and not upload.field:
        raise Fatal(
            "`file.fields` needs `file.field`, the field of the file itself",
            type="validation",
            hint="as in `field: attachment`",
        )
    tree = FileTree(ctx.config.get("files.root", ""))
    try:
        content, info = await trio.to_thread.run_sync(tree.read, upload.path, abandon_on_cancel=True)
        name = upload.filename or info.name
    except NotFound:
        if not ctx.dry:
            raise
        # In a dry run nothing has been written, so a file that an earlier step makes is not there yet.
        content, name = b"", upload.filename or upload.path.rpartition("/")[2]
    content_type = upload.content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if not upload.field:
        return content, {"Content-Type": content_type}
    boundary = secrets.token_hex(16)
    body = encode_form(boundary, upload.fields, upload.field, name, content_type, content)
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def encode_form(
    boundary: str, fields: Mapping[str, str], name: str, filename: str, content_type: str, content: bytes
) -> bytes:
    """Return the form with its text fields and, last, its one file."""
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quote(key)}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    )
    disposition = f'form-data; name="{_quote(name)}"; filename="{_quote(filename)}"'
    head += f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {_one_line(content_type)}\r\n\r\n"
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def _quote(name: str) -> str:
    """Return a name as browsers write it (HTML standard, multipart/form-data encoding algorithm): nothing in it can end the header."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _one_line(text: str) -> str:
    return " ".join(text.split())
