"""Data: filter, map, sort, group, aggregate, join, and read and write JSON, JSON lines, CSV, XML, YAML and Markdown tables.

`lists` and `formats` hold the actions; the modules beside them hold one algorithm or one format each and know nothing of actions.
"""

from ipaas.plugin import Connector, hookimpl

from . import formats, lists
from .connector import data

__all__ = ["formats", "lists"]


@hookimpl
def ipaas_connectors() -> list[Connector]:
    """Return the one connector of this plugin."""
    return [data]
