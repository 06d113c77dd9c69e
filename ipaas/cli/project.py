"""The files of a new project: text only.

Owns what `ipaas init` writes. Called by `ipaas.cli.init`. Every text here is run by a test: the pipelines validate and run, the
plugin loads, the commands in the README work.
"""

from typing import Final

HELLO: Final = """\
# yaml-language-server: $schema=../schemas/workflow.schema.json
version: 1
description: Greet each person of a list
inputs:
  people: {type: array, items: {type: string}, default: [Ada, Grace]}
triggers:
  - cron: "0 7 * * mon-fri"      # runs under `ipaas serve`; `ipaas run` runs it now
    timezone: UTC
steps:
  - id: greet
    for_each: {in: inputs.people, as: person}
    uses: greeting.compose       # our own connector: plugins/greeting.py
    with: {name: "${{ person }}"}
  - id: tell
    for_each: {in: steps.greet.output, as: text}
    uses: flow.log
    with: {message: "${{ text }}"}
outputs:
  greetings: ${{ steps.greet.output }}
"""

PLUGIN: Final = '''\
"""Greeting: a connector of this project. Its function is the action, its signature the check."""

from typing import Annotated

from ipaas.plugin import Connector, Context, Doc, hookimpl

greeting = Connector("greeting")


@greeting.action(effect="read", pure=True)
async def compose(ctx: Context, name: Annotated[str, Doc("who is greeted")], word: str = "Hello") -> str:
    """Compose a greeting."""
    return f"{word}, {name}!"


@hookimpl
def ipaas_connectors() -> list[Connector]:
    """Return this plugin's connectors."""
    return [greeting]
'''

README: Final = """\
# {name}

Pipelines that ipaas runs: YAML files under `pipelines/`, with connectors of our own under `plugins/`.

```console
$ ipaas validate                               # check every file
$ ipaas run pipelines/hello.yaml               # run one, now
$ ipaas run pipelines/hello.yaml --input 'people=["Linus"]'
$ ipaas run pipelines/hello.yaml --dry         # show what it would do
$ ipaas serve                                  # run the schedules
```

- `pipelines/hello.yaml` shows inputs, a schedule, a loop and outputs.
- `plugins/greeting.py` is a connector: a function with a signature and a docstring.
- `schemas/workflow.schema.json` gives editors completion and checks (`ipaas schema` prints it anew).
- Secrets stay out of git: `credential: shop` in a step reads `IPAAS_CREDENTIAL_SHOP='{{"token": "..."}}'` from the environment.
"""

GITIGNORE: Final = """\
# the database of `ipaas serve`
*.db
*.db-shm
*.db-wal
# what the `files` connector writes
pipelines/files/
# secrets
.env
__pycache__/
.venv/
"""


def make_files(name: str, schema: str) -> dict[str, str]:
    """Return path → text of a new project.

    Args:
        name: the folder's name, for the README.
        schema: the JSON Schema of pipeline files.
    """
    return {
        ".gitignore": GITIGNORE,
        "README.md": README.format(name=name),
        "pipelines/hello.yaml": HELLO,
        "plugins/greeting.py": PLUGIN,
        "schemas/workflow.schema.json": schema,
    }
