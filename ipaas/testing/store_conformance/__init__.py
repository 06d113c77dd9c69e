"""The suite that every Store must pass: one or more tests per numbered guarantee of `ipaas.store.contract`.

Subclass `StoreConformance` in a test module and say how to open two handles to one Store; pytest with pytest-trio (`trio_mode`) does
the rest. There are no capability flags: a Store keeps every guarantee or is none.

    class TestMyStore(StoreConformance):
        __test__ = True

        @asynccontextmanager
        async def open_stores(self, folder, clock):
            async with open_store(f"sqlite:///{folder}/a.db", clock) as one, open_store(f"sqlite:///{folder}/a.db", clock) as two:
                yield one, two
"""

from ipaas.testing.store_conformance.general import GeneralSuite
from ipaas.testing.store_conformance.journal import JournalSuite
from ipaas.testing.store_conformance.leases import LeaseSuite
from ipaas.testing.store_conformance.queueing import QueueSuite
from ipaas.testing.store_conformance.races import RaceSuite
from ipaas.testing.store_conformance.runs import RunSuite
from ipaas.testing.store_conformance.ticks import TickSuite
from ipaas.testing.store_conformance.workflows import WorkflowSuite


class StoreConformance(
    GeneralSuite, WorkflowSuite, RunSuite, QueueSuite, LeaseSuite, JournalSuite, TickSuite, RaceSuite
):
    """The whole suite. A subclass sets `__test__ = True` and overrides `open_stores`."""

    __test__ = False


__all__ = ["StoreConformance"]
