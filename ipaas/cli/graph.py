"""`ipaas graph`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson, Plugins

app = make_app()


@app.command(cls=Command)
def graph(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A pipeline file.")],
    *,
    format: Annotated[
        Literal["mermaid", "dot"], typer.Option("--format", help="The language of the diagram.")
    ] = "mermaid",
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Draw a pipeline as a Mermaid or DOT diagram.

    Examples:
      ipaas graph pipelines/orders.yaml                            Mermaid, as GitHub and editors show it
      ipaas graph pipelines/orders.yaml --format dot | dot -Tsvg   a picture, with Graphviz
    """
    from ipaas.cli.diagram import draw, to_dot, to_mermaid
    from ipaas.cli.output import print_json
    from ipaas.project import Project, at_path
    from ipaas.settings import load_settings

    workflow = Project(at_path(load_settings(plugins=plugins), file)).load_file(file)
    text = to_mermaid(draw(workflow)) if format == "mermaid" else to_dot(draw(workflow))
    if as_json:
        print_json({"workflow": workflow.id, "format": format, "text": text})
    else:
        sys.stdout.write(text)
