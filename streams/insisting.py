"""What is sent again and again until the broker has it: a token that is not kept is lost for good."""

import asyncio
import logging
from typing import Protocol

from transport.errors import SendFailed
from transport.producer import Position, Send

_log = logging.getLogger(__name__)

_PAUSE_S = 1.0


class Sender(Protocol):
    """A `transport.producer.Producer`."""

    async def send(self, send: Send) -> Position:
        """Raises `SendFailed`."""


async def insist(sender: Sender, send: Send, what: str) -> None:
    """Returns once the broker has it. `what`: for the log, with what is not so yet."""
    while True:
        try:
            await sender.send(send)
        except SendFailed as failed:
            _log.warning("%s yet: %s", what, failed)
            await asyncio.sleep(_PAUSE_S)
        else:
            return
