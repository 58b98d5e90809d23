"""`python -m bench.chaos.receiver --port P --journal FILE --seed S`: takes side effects, and fails as told.

A request is `POST /{node}` with JSON: `event_id`, `fate`, and `round` in an iteration. What it is answered
depends on the seed, these and which attempt it is, and on nothing else: the same key gets the same answer.
"""

import argparse
import asyncio
import random
import sys
import time
from enum import StrEnum
from pathlib import Path

from aiohttp import web

from bench.chaos.calls import Call, CallJournal, Effect

SLOW_S = 5.0
"""Longer than workflows wait for an answer that may come so late (`timeout.read`)."""


class Fate(StrEnum):
    """What an event says that is to happen to its calls."""

    CALM = "calm"
    """All succeed."""
    FLAKY = "flaky"
    """The first one or two attempts fail, as the seed decides."""
    LATE = "late"
    """The first two fail: all of a node that is tried again once."""
    REFUSED = "refused"
    """All fail."""
    HUNG = "hung"
    """None is ever answered."""


class Verdict(StrEnum):
    """What becomes of a request."""

    OK = "ok"
    ERROR = "error"
    """Status 500."""
    CLOSE = "close"
    """The connection is closed without an answer."""
    SLOW = "slow"
    """The answer comes when nobody waits for it any more."""
    NEVER = "never"


def verdict(seed: int, effect: Effect, fate: Fate, ordinal: int) -> Verdict:
    """Pure."""
    if fate is Fate.HUNG:
        return Verdict.NEVER
    chance = random.Random(f"{seed} {effect}")
    failures = {Fate.CALM: 0, Fate.FLAKY: chance.randint(1, 2), Fate.LATE: 2, Fate.REFUSED: sys.maxsize}
    if ordinal > failures[fate]:
        return Verdict.OK
    # Whoever has two attempts waits longer than it takes a stopped process to go on.
    troubles = {Verdict.ERROR: 6, Verdict.CLOSE: 3, Verdict.SLOW: 0 if fate is Fate.LATE else 1}
    return chance.choices(list(troubles), list(troubles.values()), k=8)[ordinal % 8]


class Receiver:
    """The application."""

    def __init__(self, journal: CallJournal, seed: int) -> None:
        self._journal = journal
        self._seed = seed
        self.app = web.Application()
        self.app.router.add_post("/{node}", self._take)
        self.app.router.add_get("/", self._is_up)

    async def _take(self, request: web.Request) -> web.Response:
        told, node = await request.json(), request.match_info["node"]
        effect = (str(told["event_id"]), node, int(told.get("round", 0)))
        key = request.headers["Idempotency-Key"]
        ordinal = self._journal.ordinal(key, effect)
        answer = verdict(self._seed, effect, Fate(told["fate"]), ordinal)
        self._journal.write(Call(time.time(), key, *effect, ordinal, answer))
        return await _answer(request, answer)

    async def _is_up(self, _: web.Request) -> web.Response:
        return web.Response(text="up")


async def _answer(request: web.Request, answer: Verdict) -> web.Response:
    match answer:
        case Verdict.OK:
            return web.json_response({"ok": True})
        case Verdict.CLOSE:
            if request.transport is not None:
                request.transport.abort()
        case Verdict.SLOW:
            await asyncio.sleep(SLOW_S)
        case Verdict.NEVER:
            await asyncio.Event().wait()
    return web.Response(status=500, text="not now")


def main() -> None:
    """Until it is told to end."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos.receiver")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--journal", type=Path, required=True, help="is appended to")
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    journal = CallJournal(given.journal)
    try:
        app = Receiver(journal, given.seed).app
        # What is never answered ends with its connection, and does not hold up the end of this process.
        web.run_app(
            app,
            host="127.0.0.1",
            port=given.port,
            access_log=None,
            print=None,
            handler_cancellation=True,
            shutdown_timeout=1.0,
        )
    finally:
        journal.close()


if __name__ == "__main__":
    main()
