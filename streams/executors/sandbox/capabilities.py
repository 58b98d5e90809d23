"""Which layers of isolation hold on this machine, and why the others do not."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from streams.executors.sandbox.inside.spec import (
    ACTIVE,
    FILES,
    LANDLOCK,
    LAYERS,
    NETWORK,
    PROCESSES,
    SECCOMP,
    Plan,
)

logger = logging.getLogger(__name__)

_LOST_BY_PLAN: Mapping[Plan, tuple[str, ...]] = {
    "full": (),
    "no-mount": (FILES,),
    "none": (NETWORK, PROCESSES, FILES),
}

# Each is kept from scripts by either of two layers, so that a machine may lack one of them.
_KEPT_BY: Mapping[str, tuple[str, str]] = {
    "files outside their folder": (FILES, LANDLOCK),
    "the network": (NETWORK, SECCOMP),
    "other processes": (PROCESSES, SECCOMP),
}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Of the sandbox as it runs now."""

    layers: Mapping[str, str]
    """Each of `LAYERS`: "active", or the reason why it does not hold here."""

    @property
    def active(self) -> tuple[str, ...]:
        """Names of the layers that hold."""
        return tuple(name for name in LAYERS if self.layers[name] == ACTIVE)

    @property
    def missing(self) -> Mapping[str, str]:
        """The other layers with their reasons."""
        return {name: reason for name, reason in self.layers.items() if reason != ACTIVE}

    @property
    def within_reach(self) -> tuple[str, ...]:
        """What scripts can get at because both layers that would prevent it are missing."""
        return tuple(
            what for what, layers in _KEPT_BY.items() if all(self.layers[layer] != ACTIVE for layer in layers)
        )

    @classmethod
    def of(cls, plan: Plan, refusals: Mapping[Plan, str], report: Mapping[str, str]) -> "Capabilities":
        """From the plan that was entered, why better ones were not, and what a process said of itself."""
        layers = dict(report)
        for better, reason in refusals.items():
            for layer in set(_LOST_BY_PLAN[plan]) - set(_LOST_BY_PLAN[better]):
                layers[layer] = reason
        return cls(layers)

    def announce(self) -> None:
        """Logs what is missing, for operators; to be called once for each start of the sandbox."""
        for layer, reason in self.missing.items():
            logger.warning("sandbox: no %s on this machine: %s", layer, reason)
        for what in self.within_reach:
            logger.warning("sandbox: code nodes can get at %s, as far as their user may", what)
