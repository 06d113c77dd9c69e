"""The shape of one transaction, without a database.

Owns `Transaction`: a generator that yields statements and is sent their rows. A driver runs it, on a connection of its own kind: SQLite
in a thread, another database by awaiting. So every statement of the Store is written once, and no transaction can wait for anything
but its database. Raising inside is a rollback.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from ipaas.store.run_ids import RunIds

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL with `?` for each value, and the values. Only what SQLite and PostgreSQL both understand."""

Transaction: TypeAlias = Generator[Statement, list[Row], T]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a transaction may not find out itself: the instant, in microseconds, and the maker of run ids."""

    now: int
    ids: RunIds


Write: TypeAlias = Callable[[Stamp], Transaction[T]]
"""Makes the transaction afresh: a driver may have to run it again."""

Read: TypeAlias = Callable[[], Transaction[T]]


class Driver(Protocol):
    """A database that runs transactions."""

    async def write(self, operation: Write[T]) -> T:
        """Run a transaction that may change rows, alone: as if no other ran. Durable when this returns."""
        ...

    async def read(self, operation: Read[T]) -> T:
        """Run a transaction that changes nothing, on one snapshot."""
        ...
