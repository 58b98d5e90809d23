"""The load of the chaos suite: what is installed and sent, and what its producer knows of it afterwards."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.chaos.doors import Doors, NoAnswer, Request
from bench.chaos.events import Event, events
from bench.chaos.installation import Installed, client, install, until_known
from bench.chaos.people import People
from bench.chaos.producer import Producer
from bench.deployment import Deployment
from bench.journal import Journal
from bench.progress import Say
from bench.traffic import NotAccepted

_WATCHED = {"approval": "PAUSED", "delay": "PAUSED", "hold": "RUNNING", "resumed": "FAILED"}
"""App -> status in which somebody does something to its runs."""
_PATIENCE_S = 180.0
_PAUSED_S = 180.0
"""An ingress that is killed while it pauses one leaves a turn of two minutes behind."""
_AGAIN_S = 0.5
_REPORT_EVERY = 1_000


class Load:
    """`install`, then `run` once, then `stop_schedules`."""

    def __init__(
        self, addresses: Sequence[str], api_key: str, seed: int, home: Path, receiver_url: str
    ) -> None:
        """`addresses` are those of the ingresses. The journal is `producer.journal` in `home`."""
        self.seed = seed
        self.installed = Installed()
        self.sent: dict[str, Event] = {}
        """By their ids: each that was to be sent."""
        self.odd: Counter[str] = Counter()
        """Refusals that no outage excuses."""
        self.unheard: list[str] = []
        """Events to whose runs something was to be done, in vain."""
        self.journal = Journal(home / "producer.journal")
        self.addresses = addresses
        self._api_key = api_key
        self._receiver_url = receiver_url

    @property
    def acknowledged(self) -> set[str]:
        """Ids of the events that were answered with 2xx."""
        return self.journal.acknowledged

    @property
    def deployment(self) -> Deployment:
        """Through the first ingress."""
        return Deployment(self.addresses[0], self._api_key)

    async def install(self) -> None:
        """Workflows, triggers and schedules; all ingresses know them. Raises `CommandFailed`."""
        clients = [client(address, self._api_key) for address in self.addresses]
        self.installed = await asyncio.to_thread(install, clients[0], self._receiver_url)
        await until_known(clients, self.installed)

    async def run(self, count: int, per_s: float, say: Say = lambda _: None) -> None:
        """Returns when all events have been acknowledged, and what was to be done to their runs.

        Raises `NotAccepted`, in an `ExceptionGroup`.
        """
        with self.journal:
            async with Doors(self.addresses, self._api_key) as doors:
                await self._run(doors, count, per_s, say)

    async def _run(self, doors: Doors, count: int, per_s: float, say: Say) -> None:
        watched = {self.installed.workflows[app]: status for app, status in _WATCHED.items()}
        people = People(doors, self.journal, watched)
        producer = Producer(doors, self.installed, self.journal, self.seed)
        self.odd = producer.odd

        def acknowledged(event: Event) -> None:
            people.expect(event)
            if len(self.acknowledged) % _REPORT_EVERY == 0:
                say(f"{len(self.acknowledged):,} of {count:,} events acknowledged")

        chosen = list(itertools.islice(events(self.seed), count))
        self.sent = {event.id: event for event in chosen}
        async with asyncio.TaskGroup() as group:
            working = group.create_task(people.work())
            await producer.post(chosen, per_s, acknowledged)
            say("all events are acknowledged, some runs wait for somebody")
            self.unheard = await people.until_done(_PATIENCE_S)
            working.cancel()

    async def stop_schedules(self) -> None:
        """Pauses them. Raises `NotAccepted`."""
        async with Doors(self.addresses, self._api_key) as doors:
            for schedule in self.installed.schedules:
                schedule.until = time.time()
                try:
                    await asyncio.wait_for(_pause(doors, schedule.trigger_id), _PAUSED_S)
                except TimeoutError as late:
                    raise NotAccepted(f"a schedule was not paused in {_PAUSED_S:g} s") from late


async def _pause(doors: Doors, trigger_id: str) -> None:
    request = Request(f"/api/v1/triggers/{trigger_id}/pause", b"{}", with_key=True)
    for turn in itertools.count():
        with suppress(NoAnswer):
            if (await doors.send(request, turn)).is_good:
                return
        await asyncio.sleep(_AGAIN_S)
