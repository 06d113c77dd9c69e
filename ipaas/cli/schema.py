"""`ipaas schema`."""

import sys

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson

app = make_app()


@app.command(cls=Command)
def schema(*, as_json: AsJson = False) -> None:  # noqa: ARG001 -- the answer is JSON either way
    """Print the JSON Schema of pipeline files, for editors.

    The output is JSON with or without --json.

    Examples:
      ipaas schema > schemas/workflow.schema.json

    Name it in the first line of a pipeline file, and an editor with a YAML
    language server completes and checks while you type:
      # yaml-language-server: $schema=../schemas/workflow.schema.json
    """
    sys.stdout.write(read_schema())


def read_schema() -> str:
    """Return the text of the schema that files are checked against."""
    from ipaas.definition.frame import read_frame

    return read_frame()
