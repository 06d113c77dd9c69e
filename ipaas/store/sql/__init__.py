"""The Store over any SQL database: one text of every statement, and a driver per database that runs it.

`SqlStore` is the door; `transaction` is what a driver must know.
"""

from ipaas.store.sql.store import SqlStore
from ipaas.store.sql.transaction import Driver, Stamp, Transaction

__all__ = ["Driver", "SqlStore", "Stamp", "Transaction"]
