"""The example of each topic as a message."""

import base64
import json
from pathlib import Path
from typing import Any

import schemas
from schemas.codec import SingleObjectCodec
from schemas.topics import TOPICS

_EXAMPLES = Path(schemas.__file__).parent / "examples"


def messages() -> dict[str, str]:
    """Topic -> the value in hexadecimal digits."""
    codec = SingleObjectCodec()
    return {
        topic.name: codec.encode(topic.schema, json.loads(path.read_text(), object_hook=_bytes)).hex()
        for topic in TOPICS.values()
        if topic.schema is not None and (path := _EXAMPLES / f"{topic.name}.json").exists()
    }


def _bytes(value: dict[str, Any]) -> Any:
    """JSON has none."""
    return base64.b64decode(value["base64"]) if set(value) == {"base64"} else value
