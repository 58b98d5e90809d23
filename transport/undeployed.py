"""Which triggers would look at an event, were they deployed: for the log of one that no trigger wants."""

from schemas.models import TriggerHead


class Undeployed:
    """Of all tenants and kinds. Used on the loop's thread only."""

    def __init__(self) -> None:
        self._where: dict[str, tuple[str, str, str]] = {}
        """Trigger id -> its tenant, type and index key."""
        self._found: dict[tuple[str, str, str], dict[str, None]] = {}
        """The inverse; the ids in the order in which they came."""

    def first(self, tenant_id: str, trigger_type: str, index_key: str) -> str | None:
        """The id of one with exactly that index key; constant time."""
        return next(iter(self._found.get((tenant_id, trigger_type, index_key), ())), None)

    def put(self, idle: TriggerHead) -> None:
        """For one that is not there."""
        where = self._where[idle.id] = (idle.tenant_id, idle.type, idle.index_key)
        self._found.setdefault(where, {})[idle.id] = None

    def remove(self, trigger_id: str) -> None:
        """If it is there."""
        where = self._where.pop(trigger_id, None)
        if where is None:
            return
        del self._found[where][trigger_id]
        if not self._found[where]:
            del self._found[where]
