"""Who has which address: of all triggers that claim it, the one whose claim is first in the log.

Two ingresses that do not yet see what the other one writes may both let an address be claimed. Every process
reads the two in the same order and gives it to the same one. A later record of a trigger repeats the offset
of its claim (`AppTrigger.claims`), so that compaction, which keeps only that record, changes nothing.
"""

from schemas.models import AppTrigger, DeployedTrigger


class Addresses:
    """Of all kinds of triggers. Used on the loop's thread only."""

    def __init__(self) -> None:
        self._claimants: dict[tuple[str, str], list[DeployedTrigger]] = {}
        """By type and address, the holder first."""

    def holder(self, trigger_type: str, address: str) -> AppTrigger | None:
        """Whose endpoint that is; constant time."""
        found = self._claimants.get((trigger_type, address))
        return found[0].trigger if found else None

    def claim(self, deployed: DeployedTrigger) -> None:
        """For each address of a trigger whose claims have offsets."""
        for address in deployed.settings.addresses:
            claimants = self._claimants.setdefault((deployed.trigger.type, address), [])
            claimants.append(deployed)
            claimants.sort(key=lambda one: (one.trigger.claims[address], one.trigger.id))

    def release(self, gone: DeployedTrigger) -> None:
        """For a trigger that is removed, replaced or withdrawn."""
        for address in gone.settings.addresses:
            where = gone.trigger.type, address
            left = [one for one in self._claimants.get(where, []) if one is not gone]
            if left:
                self._claimants[where] = left
            else:
                self._claimants.pop(where, None)

    def is_held(self, deployed: DeployedTrigger) -> bool:
        """Whether events under its index key are its own: that is no address, or one that it has."""
        if deployed.index_key not in deployed.settings.addresses:
            return True
        return self.holder(deployed.trigger.type, deployed.index_key) is deployed.trigger
