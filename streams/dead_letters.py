"""A record that a stage gave up on, with all that is needed to try it again."""

import logging
import traceback

from schemas import letters
from schemas.codec import Codec
from schemas.ids import dead_letter_id, row_letter_id
from streams.shell.stage import Record
from transport.producer import Send

log = logging.getLogger(__name__)

_MAX_LOGGED_CHARS = 300


def dead_letter(codec: Codec, stage: str, record: Record, error: BaseException) -> Send:
    """The message for `dead.letters`: original bytes, position, reason, stack and attempts.

    It is told in the log as well, in the trace that the record belongs to.
    """
    place = letters.Place(record.topic, record.partition, record.offset)
    origin = letters.origin_of(codec, record.topic, record.value, record.headers)
    if record.tenant_id:
        origin = origin._replace(tenant_id=record.tenant_id)
    letter = letters.dead_letter(
        place,
        (record.key, record.value, record.headers),
        origin,
        letter_id=_letter_id(record),
        stage=stage,
        reason=f"{type(error).__name__}: {error}",
        stack="".join(traceback.format_exception(error)),
    )
    at, reason = f"{place.topic}/{place.partition}/{place.offset}", letter["reason"][:_MAX_LOGGED_CHARS]
    line = "%s gives up on %s, which becomes a dead letter: %s"
    log.error(line, stage, at, reason, extra=letters.log_extra(letter, origin))
    return Send(letters.TOPIC, letter["key"], codec.encode(letters.SCHEMA, letter))


def _letter_id(record: Record) -> str:
    """A row that was due has no offset, and the time at which it was looked at."""
    if record.offset < 0:
        return row_letter_id(record.topic, record.partition, record.key or b"", record.value or b"")
    return dead_letter_id(record.topic, record.partition, record.offset, record.timestamp_ms)
