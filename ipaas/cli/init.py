"""`ipaas init`."""

from pathlib import Path
from typing import Annotated

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson
from ipaas.errors import InputError

app = make_app()


@app.command(cls=Command)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")] = Path(),
    *,
    as_json: AsJson = False,
) -> None:
    """Make a new project folder that validates and runs.

    Writes a pipeline, a connector of the project's own, a README, a .gitignore
    and the schema for editors. Never overwrites a file.

    Examples:
      ipaas init shop          then: cd shop && ipaas run pipelines/hello.yaml
      ipaas init               in the current folder
    """
    from ipaas.cli.output import print_json
    from ipaas.cli.project import make_files
    from ipaas.cli.schema import read_schema

    files = {folder / path: text for path, text in make_files(folder.resolve().name, read_schema()).items()}
    _refuse_overwriting(folder, list(files))
    for path, text in files.items():
        _write_new(path, text)
    if as_json:
        print_json({"folder": str(folder), "files": [str(path) for path in files]})
        return
    for path in files:
        typer.echo(f"wrote {path}")
    change = "" if folder == Path() else f"cd {folder} && "
    typer.echo(f"next: {change}ipaas run pipelines/hello.yaml")


def _refuse_overwriting(folder: Path, paths: list[Path]) -> None:
    """Raise before anything is written, so that a refusal leaves the folder as it was."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"`{folder}` is a file", hint="name a folder that does not exist yet")
    taken = [f"`{path}`" for path in paths if path.exists() or path.is_symlink()]
    if taken:
        raise InputError(
            f"{', '.join(taken)} {'exists' if len(taken) == 1 else 'exist'} already, and `ipaas init` overwrites nothing",
            hint="name an empty folder",
        )


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"could not write `{path}`: {error.strerror or error}") from error
