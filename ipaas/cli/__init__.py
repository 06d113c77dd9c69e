"""The command line: words in, rooms called, answers out.

Owns what a person types and sees: commands, flags, help, tables, JSON, messages, exit codes. Decides nothing about pipelines.

Exit codes: 0 it is done, 1 the work failed, 2 the input is wrong, 130 Ctrl-C. Standard output carries the answer and nothing
else; all that is said about it goes to standard error. One file a command group; each imports the rooms it needs inside its
commands, because `ipaas --help` must not pay for a web server (tests/test_settings.py holds it to that).
"""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

EXIT_S: Final = 1.0
"""Seconds that threads which a connector left behind get to end by themselves."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Never raises, never shows a traceback unless `IPAAS_DEBUG` is set.

    Args:
        arguments: what was typed after `ipaas`; by default those of the process, which then ends soon after this returns.
    """
    code = _run_command(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _bound_exit(code)
    return code


def _run_command(arguments: Sequence[str]) -> int:
    # What imports allocate stays: looking through it again and again for garbage is 7 % of a start.
    gc.set_threshold(50_000)
    # A stream that was closed by the caller (`>&-`) is None; what is written to it goes nowhere.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 -- open as long as the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115 -- as above
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a test may have put something simpler there
            # Text that the terminal's encoding lacks is written as an escape: no answer is lost for the sake of one letter.
            stream.reconfigure(errors="backslashreplace")
    from ipaas.cli.commands import invoke
    from ipaas.cli.errors import report

    try:
        code = invoke(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`head`, a closed pager) has seen enough. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:  # noqa: BLE001 -- the border: whatever comes out becomes a message and a code
        return report(error, sys.stderr)
    return code


def _bound_exit(code: int) -> None:
    """End the process in a moment although threads that a connector left behind go on: Python would wait for them for ever."""
    threading = sys.modules.get("threading")
    if threading is None or all(each.daemon or each is threading.main_thread() for each in threading.enumerate()):
        return

    def end() -> None:
        time.sleep(EXIT_S)
        os._exit(code)

    threading.Thread(target=end, daemon=True).start()
