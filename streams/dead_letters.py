"""A record that a stage gave up on, with all that is needed to try it again."""

import traceback

from schemas.codec import Codec
from schemas.ids import dead_letter_id, now_us
from streams.shell.stage import Record
from transport.producer import Send

_MAX_STACK_CHARS = 16_000


def dead_letter(codec: Codec, stage: str, record: Record, error: BaseException) -> Send:
    """The message for `dead.letters`: original bytes, position, reason and stack."""
    # A row that was due has no offset: its key tells it from the others.
    source = record.topic if record.offset >= 0 else f"{record.topic}/{(record.key or b'').hex()}"
    letter = {
        "id": dead_letter_id(source, record.partition, record.offset),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key,
        "value": record.value,
        "headers": [{"name": name, "value": value or b""} for name, value in record.headers],
        "stage": stage,
        "reason": f"{type(error).__name__}: {error}",
        "stack": "".join(traceback.format_exception(error))[-_MAX_STACK_CHARS:],
        "created_at": now_us(),
    }
    return Send("dead.letters", record.key, codec.encode("DeadLetter", letter))
