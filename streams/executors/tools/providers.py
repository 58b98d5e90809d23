"""From what a node calls a tool provider to the provider."""

from collections.abc import Sequence

from schemas.models import ToolProvider
from streams.executors.catalog import Catalog, last_part
from streams.executors.errors import NotConfigured


def find_provider(catalog: Catalog, tenant_id: str, names: Sequence[str]) -> ToolProvider:
    """The first that has one of the names, in full (`langgenius/google/google`) or by their last part.

    Raises `NotConfigured`, which names what is missing.
    """
    given = [name for name in dict.fromkeys(names) if name]
    if not given:
        raise NotConfigured("the node names no tool provider")
    found = catalog.called(ToolProvider, tenant_id, given)
    if found is not None:
        return found
    known = catalog.all_of(ToolProvider, tenant_id)
    there = ", ".join(sorted(one.name for one in known)) or "none"
    # Of an id and a name, the name says more, and comes last.
    raise NotConfigured(
        f"tool provider {given[-1]!r} is not configured (there are: {there}); create it with"
        f" `hopline tool-provider create {last_part(given[-1])}` and --openapi FILE, --mcp URL or"
        " --workflow NAME"
    )
