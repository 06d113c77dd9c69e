"""The composition root: the only place that opens the Store, loads plugins, and owns the root nursery.

Owns the order in which the parts are made, started and stopped. Decides nothing itself. Called by the command line; every function
takes finished `Settings`. The rooms are imported inside the functions that need them: `ipaas runs list` pays for no web server.
"""

from ipaas.app.folder import list_all_workflows, make_plan, sync
from ipaas.app.machinery import run_with_store
from ipaas.app.once import Result, rehearse, run_once
from ipaas.app.service import serve

__all__ = [
    "Result",
    "list_all_workflows",
    "make_plan",
    "rehearse",
    "run_once",
    "run_with_store",
    "serve",
    "sync",
]
