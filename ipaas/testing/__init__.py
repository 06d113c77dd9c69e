"""What ipaas ships for tests: a virtual clock, conformance suites for Stores and connectors, fakes, a pytest plugin.

Used by users' tests and by ours; nothing in `ipaas` outside this room imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipaas.testing.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from ipaas.testing.store_conformance import StoreConformance


def __getattr__(name: str) -> Any:
    """Import what needs pytest only when it is asked for: the rest of this room works without it."""
    if name == "StoreConformance":
        from ipaas.testing.store_conformance import StoreConformance

        return StoreConformance
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


__all__ = ["StoreConformance", "VirtualClock"]
