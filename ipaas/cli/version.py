"""`ipaas version`."""

import platform

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson

app = make_app()


@app.command(cls=Command)
def version(*, as_json: AsJson = False) -> None:
    """Print the version of ipaas.

    Examples:
      ipaas version
      ipaas version --json     with the versions of Python and the system, for a bug report
    """
    from ipaas import __version__
    from ipaas.cli.output import print_json

    if as_json:
        print_json({"ipaas": __version__, "python": platform.python_version(), "system": platform.platform(terse=True)})
    else:
        typer.echo(f"ipaas {__version__}")
