"""How the sources are doing, told to whoever shows triggers: only when it changes, and not too often."""

import asyncio
import logging
from collections.abc import Callable

from schemas.models import AppTrigger, SourceState
from transport.definitions import SOURCE_STATES, Definitions
from transport.errors import SendFailed
from transport.store import DefinitionsStore

log = logging.getLogger(__name__)

_PAUSE_S = 1.0
_MOST_CHARS = 500


class States:
    """Of the sources that a worker watches."""

    def __init__(self, definitions: Definitions, store: DefinitionsStore) -> None:
        self._definitions = definitions
        self._store = store
        self._untold: dict[str, SourceState] = {}
        self._noted = asyncio.Event()

    def note(self, trigger: AppTrigger, slot: int, error: str) -> None:
        """A watcher works (error is ""), or fails. Does not block."""
        if slot:
            return
        before = self._untold.get(trigger.id) or self._definitions.source_states.get(trigger.id)
        error = error[:_MOST_CHARS]
        if before is None or before.error != error:
            self._untold[trigger.id] = SourceState(
                id=trigger.id,
                tenant_id=trigger.tenant_id,
                status="FAILING" if error else "WATCHING",
                error=error,
            )
            self._noted.set()

    async def tell(self) -> None:
        """Until cancelled. What cannot be told now is told later, as it is then."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            states = list(self._untold.values())
            try:
                await self._store.put(SOURCE_STATES, *states)
            except (SendFailed, TimeoutError) as failed:
                log.warning("how sources are doing cannot be told yet: %s", failed)
                self._noted.set()
            except Exception:  # or they would seem to do as they did, for good
                log.exception("how sources are doing cannot be told")
                self._noted.set()
            else:
                for state in states:
                    if self._untold.get(state.id) is state:
                        del self._untold[state.id]
            await asyncio.sleep(_PAUSE_S)

    async def forget(self, is_ours: Callable[[str], bool]) -> None:
        """States of triggers that there are no more. Raises `SendFailed`, `TimeoutError`."""
        known, alive = self._definitions.source_states, self._definitions.triggers
        gone = [key for key in known if key not in alive and is_ours(key)]
        if gone:
            await self._store.delete(SOURCE_STATES, *gone)
