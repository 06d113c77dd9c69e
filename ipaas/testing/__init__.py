"""What ipaas ships for tests: a virtual clock, conformance suites for Stores and connectors, fakes, a pytest plugin.

Used by users' tests and by ours; nothing in `ipaas` outside this room imports it.
"""

from ipaas.testing.virtual_clock import VirtualClock

__all__ = ["VirtualClock"]
