"""Flags that several commands share, so that they are called and explained the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The database, such as sqlite:///ipaas.db. Default: $IPAAS_DATABASE, else sqlite:///ipaas.db.",
    ),
]

Pipelines = Annotated[
    Path | None,
    typer.Option("--pipelines", metavar="DIR", help="The pipelines folder. Default: $IPAAS_PIPELINES, else pipelines."),
]

Plugins = Annotated[
    Path | None,
    typer.Option(
        "--plugins",
        metavar="DIR",
        help="Folder of the project's own connectors. Default: $IPAAS_PLUGINS, else plugins beside the pipelines folder.",
    ),
]

AllowNetwork = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-network",
        metavar="CIDR",
        help="Let connectors reach this network although it is not public, such as 127.0.0.0/8. May be repeated. "
        "Default: $IPAAS_ALLOW_NETWORK.",
    ),
]

Timezone = Annotated[
    str | None,
    typer.Option(
        "--timezone", metavar="ZONE", help="Zone of schedules that name none. Default: $IPAAS_TIMEZONE, else UTC."
    ),
]

Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="Print at most this many.")]
