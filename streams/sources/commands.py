"""What a source is told."""

from collections.abc import Mapping
from typing import Any, Literal

import orjson

from schemas.codec import Codec
from schemas.ids import now_us
from transport.producer import Send

TOPIC, SCHEMA = "source.commands", "SourceCommand"

Kind = Literal["POSITION", "SYNCED", "LOOK", "REMOVE", "REFRESH", "TOKEN"]


def command(codec: Codec, tenant_id: str, source_id: str, kind: Kind, payload: Mapping[str, Any]) -> Send:
    """See the schema for what is in `payload`."""
    record = {
        "source_id": source_id,
        "kind": kind,
        "tenant_id": tenant_id,
        "issued_at": now_us(),
        "payload": orjson.dumps(payload).decode(),
    }
    return Send(TOPIC, source_id.encode(), codec.encode(SCHEMA, record))
