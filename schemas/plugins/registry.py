"""The plugins that are installed in this environment, found by entry point."""

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points

from schemas.plugins.contract import TriggerPlugin

_log = logging.getLogger(__name__)

GROUP = "hopline.triggers"


@cache
def plugins() -> Mapping[str, TriggerPlugin]:
    """By provider_id. One that cannot be loaded is reported and left out: no role must fall by it."""
    return dict(sorted(_found()))


def find_plugin(provider_id: str) -> TriggerPlugin | None:
    """By its provider_id; else by the last part of it, as names of plugins differ from product to product."""
    known = plugins()
    if provider_id in known:
        return known[provider_id]
    last = provider_id.rpartition("/")[2]
    alike = [plugin for plugin in known.values() if plugin.provider == last]
    return alike[0] if len(alike) == 1 else None


def _found() -> Iterator[tuple[str, TriggerPlugin]]:
    for entry in entry_points(group=GROUP):
        try:
            plugin = entry.load()()
            if not isinstance(plugin, TriggerPlugin):
                raise TypeError(f"{entry.value} is no TriggerPlugin")
            yield plugin.provider_id, plugin
        except Exception:
            _log.exception("the plugin %s (%s) cannot be used", entry.name, entry.value)
