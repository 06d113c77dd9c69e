"""What no command prints: the values of the credentials in its environment.

Owns the one redactor of a process. Called by everything in this room that prints.
"""

from __future__ import annotations

import os
from functools import cache

from ipaas.errors import InputError
from ipaas.vault import PREFIX, Redactor, Vault


@cache
def get_redactor() -> Redactor:
    """Return the redactor for this process's environment, which does not change while a command runs."""
    try:
        return Vault.from_environ(os.environ).redactor()
    except InputError:
        # A credential that cannot be read as JSON may still be a secret in itself.
        return Redactor(value for name, value in os.environ.items() if name.startswith(PREFIX))
