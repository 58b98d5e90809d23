"""Refuses events while this process is so far behind that their senders would give up before the answer.

A process that is short of CPU reads all that comes, but answers so late that senders have gone by then, and
send again. A refusal costs a fraction of an answer, so it comes in time; so do the answers to what is taken.

Some events are taken even then. Who is refused comes again, often at once and with more beside it. Where that
alone keeps the process behind, it would do nothing but refuse, long after what has held it up is over.
"""

import random
import re
import socket
import time
from collections.abc import Callable

from aiohttp import web

from ingress.errors import Unavailable
from ingress.express.request import EventRequest
from ingress.metrics import Metrics
from ingress.operation import EVENTS, Operation

_AGAIN_S = range(1, 6)
"""After one of these: not all come again at once."""

_TAKEN_OF = 4
"""One of so many events is taken while the others are refused. One that is taken costs some three refusals,
so about half of the time goes into what gets done."""

_DETAIL = "this server has more to do than it can, and would answer too late; send it again"
_PEEKED_BYTES = 65_536
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)


class Overload:
    """Told how late the event loop is, which is how long what is ready waits for its turn, and whether
    connections have to wait for another one.

    An answer takes some five turns, seven on a new connection. One late turn is not enough: after a pause of
    the whole process all that has come meanwhile may be done in a moment.
    """

    def __init__(
        self,
        limit_s: float,
        metrics: Metrics,
        operations: tuple[Operation, ...] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """0 s: never. `operations`: those among them that take events are refused."""
        doors = [one for one in operations if one.tag == EVENTS]
        self._limit_s = limit_s
        self._metrics = metrics
        self._now = now
        self._line = re.compile("|".join(map(_line, doors)).encode() or rb"(?!)")
        self._written = [_written(again_s) for again_s in _AGAIN_S]
        self._was_late = self._is_late = False
        self._left_at: float | None = None
        """Since when connections have waited for another turn, without a break."""
        self._asked = 0
        self.refuses = False
        """Whether events are refused now, but for one in `_TAKEN_OF`."""

    def woken(self, late_s: float) -> None:
        """Called some ten times a second, or once a turn where the loop has fewer."""
        self._was_late, self._is_late = self._is_late, late_s > self._limit_s
        self._decide()

    def taken(self, all_of_them: bool) -> None:
        """Called in each turn in which connections have come, with whether none is left for the next one."""
        if all_of_them:
            self._left_at = None
        elif self._left_at is None:
            self._left_at = self._now()
        self._decide()

    def _decide(self) -> None:
        late = self._was_late and self._is_late
        left = self._left_at is not None and self._now() - self._left_at > self._limit_s
        self.refuses = (late or left) and self._limit_s > 0

    def refusal(self, request: EventRequest) -> web.Response | None:
        """What the request is answered while `refuses`; None for one that brings no event."""
        if (
            self._line.match(f"{request.method} {request.raw_path} ".encode("utf-8", "surrogateescape"))
            is None
            or self._is_taken()
        ):
            return None
        self._count()
        # The connection stays: another one would cost more than the next refusal.
        return _refusal(random.choice(_AGAIN_S))  # noqa: S311 - no secret

    def turned_away(self, connection: socket.socket) -> bool:
        """Whether it has been answered and closed before anything is made for it, which costs more than that.

        It may be while `refuses`, where it has brought the whole request, and that is for an event. Anything
        else is left as it was. The connection does not block.
        """
        if not self.refuses:
            return False
        try:
            sent = connection.recv(_PEEKED_BYTES, socket.MSG_PEEK)
            if sent and (not self._is_whole_event(sent) or self._is_taken()):
                return False
            # A connection that is closed with bytes that nobody has read is reset, and the answer is lost.
            connection.recv(_PEEKED_BYTES)
            if sent:
                connection.send(random.choice(self._written))  # noqa: S311 - no secret
                self._count()
        except BlockingIOError:
            return False
        except OSError:
            # It has gone.
            pass
        connection.close()
        return True

    def _is_whole_event(self, sent: bytes) -> bool:
        """Not where there is any doubt: what follows it would be lost."""
        head, separator, body = sent.partition(b"\r\n\r\n")
        if not separator or self._line.match(head) is None or _CHUNKED.search(head):
            return False
        lengths = _LENGTH.findall(head + b"\r\n")
        return len(body) == (int(lengths[0]) if len(lengths) == 1 else 0)

    def _is_taken(self) -> bool:
        """Asked for each event while `refuses`."""
        self._asked += 1
        return self._asked % _TAKEN_OF == 0

    def _count(self) -> None:
        self._metrics.refused.labels(str(Unavailable.status)).inc()
        self._metrics.overload_refused.inc()


OVERLOAD = web.AppKey("overload", Overload)


def _refusal(again_s: int) -> web.Response:
    return Unavailable(_DETAIL, again_s).response()


def _written(again_s: int) -> bytes:
    """The refusal as it goes over the wire."""
    response = _refusal(again_s)
    assert isinstance(response.body, bytes)
    headers = {**response.headers, "Content-Length": str(len(response.body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {response.status} {response.reason}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + response.body


def _line(door: Operation) -> str:
    """A pattern of request lines."""
    path = "[^ ?]+".join(map(re.escape, re.split(r"\{[^}]*\}", door.path)))
    return f"{'[A-Z]+' if door.method == '*' else door.method} {path}[ ?]"
