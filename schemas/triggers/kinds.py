"""The kinds of triggers there are: every subclass of `TriggerConfig` in a file of this package."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Final

import schemas.triggers
from schemas.triggers.config import TriggerConfig


def _found() -> Iterator[type[TriggerConfig]]:
    for module in sorted(one.name for one in pkgutil.iter_modules(schemas.triggers.__path__)):
        if module != "kinds":
            for value in vars(importlib.import_module(f"schemas.triggers.{module}")).values():
                if isinstance(value, type) and issubclass(value, TriggerConfig) and "type" in vars(value):
                    yield value


KINDS: Final[Mapping[str, type[TriggerConfig]]] = {kind.type: kind for kind in _found()}
"""By their words. A manual start needs no configuration: each published workflow can be started by hand."""

MANUAL: Final = "MANUAL"
"""The `trigger_type` of an event that somebody has made by hand."""
