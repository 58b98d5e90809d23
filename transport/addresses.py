"""Who has which address: of all triggers that claim it, the one whose claim is first in the log.

Two ingresses that do not yet see what the other one writes may both let an address be claimed. Every process
reads the two in the same order and gives it to the same one. A later record of a trigger repeats the offset
of its claim (`AppTrigger.claims`), so that compaction, which keeps only that record, changes nothing.
"""

from schemas.models import TriggerHead


class Addresses:
    """Of all kinds of triggers. Used on the loop's thread only."""

    def __init__(self) -> None:
        self._claimants: dict[tuple[str, str], list[TriggerHead]] = {}
        """By type and address, the holder first."""

    def holder(self, trigger_type: str, address: str) -> TriggerHead | None:
        """Whose endpoint that is; constant time."""
        found = self._claimants.get((trigger_type, address))
        return found[0] if found else None

    def claim(self, trigger: TriggerHead) -> None:
        """For each of its addresses."""
        for address, _ in trigger.claims:
            claimants = self._claimants.setdefault((trigger.type, address), [])
            claimants.append(trigger)
            claimants.sort(key=lambda one: (dict(one.claims)[address], one.id))

    def release(self, gone: TriggerHead) -> None:
        """For a trigger that is removed, replaced or withdrawn."""
        for address, _ in gone.claims:
            where = gone.type, address
            left = [one for one in self._claimants.get(where, []) if one is not gone]
            if left:
                self._claimants[where] = left
            else:
                self._claimants.pop(where, None)

    def is_held(self, trigger: TriggerHead) -> bool:
        """Whether events under its index key are its own: that is no address, or one that it has."""
        if trigger.index_key not in dict(trigger.claims):
            return True
        return self.holder(trigger.type, trigger.index_key) is trigger
