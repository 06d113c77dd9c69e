"""`ipaas serve`."""

import os
import shutil
import sys
from typing import Annotated

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.errors import describe
from ipaas.cli.options import AllowNetwork, Database, Pipelines, Plugins, Timezone

app = make_app()


@app.command(cls=Command)
def serve(
    *,
    database: Database = None,
    pipelines: Pipelines = None,
    plugins: Plugins = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Loopback address to listen on. Default: 127.0.0.1.")
    ] = None,
    port: Annotated[
        str | None, typer.Option("--port", metavar="PORT", help="Port to listen on; 0 takes a free one. Default: 8080.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Sync again when a pipeline file changes.")] = False,
    max_runs: Annotated[
        str | None, typer.Option("--max-runs", metavar="N", help="Runs at once; more wait. Default: 100.")
    ] = None,
    grace: Annotated[
        str | None,
        typer.Option("--grace", metavar="SECONDS", help="Time for running work on the first signal. Default: 30."),
    ] = None,
    allow_network: AllowNetwork = None,
    timezone: Timezone = None,
) -> None:
    """Run the server: sync the folder, then run its schedules.

    Prints http://host:port on standard output when it is ready, and a line per
    run on standard error. With a problem in a file it prints all problems and
    goes on with what the database has. The first SIGTERM or Ctrl-C stops the
    intake and lets running work end; the second stops at once, and the next
    start goes on with what was cut off.

    Examples:
      ipaas serve                                  pipelines/ on sqlite:///ipaas.db
      ipaas serve --watch                          edit files while it runs
      ipaas serve --pipelines /srv/flows --database sqlite:////var/lib/ipaas.db
      ipaas serve --allow-network 127.0.0.0/8      connectors may reach this machine
    """
    import trio

    from ipaas.app import serve as run_server
    from ipaas.cli.output import is_terminal, say
    from ipaas.cli.secrets import get_redactor
    from ipaas.settings import Settings, load_settings
    from ipaas.telemetry import start_logging

    settings = load_settings(
        database=database,
        pipelines=pipelines,
        plugins=plugins,
        host=host,
        port=port,
        watch=watch or None,
        max_runs=max_runs,
        grace_s=grace,
        allow_network=allow_network,
        timezone=timezone,
    )
    sink = start_logging(
        sys.stderr,
        format=settings.log_format,
        level=settings.log_level,
        redact=get_redactor().text,
    )

    def announce(url: str) -> None:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        if is_terminal(sys.stderr):
            program = "ipaas" if shutil.which("ipaas") else sys.argv[0]
            usual = Settings.model_fields["database"].default
            where = "" if settings.database == usual else f" --database {settings.database}"
            say(f"look in from another terminal: {program} runs list{where}\nstop: Ctrl-C")

    def leave() -> None:
        sink.close()
        os._exit(0)

    try:
        trio.run(
            lambda: run_server(settings, announce=announce, complain=lambda error: say(describe(error)), leave=leave)
        )
    finally:
        sink.close()
