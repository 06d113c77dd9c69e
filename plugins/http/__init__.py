"""HTTP: send requests to any address, read what comes back, collect all pages of a list.

`actions` holds the actions; the modules beside it hold one part each: what is sent (`sending`, `uploads`), what came back (`answers`), and
the way from page to page (`paging`, `link_header`).
"""

from .actions import ipaas_connectors

__all__ = ["ipaas_connectors"]
