"""What kind of bytes a body is: media types (RFC 9110, section 8.3), and bytes that no text can carry."""

import base64
from email.message import Message
from functools import lru_cache
from typing import Any, NamedTuple

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
BYTES = "application/octet-stream"


class ContentType(NamedTuple):
    """What a Content-Type header says."""

    given: bool
    media_type: str
    """In lower case, without parameters."""
    charset: str | None
    boundary: str | None = None
    """Between the parts of a multipart body."""

    @property
    def is_form(self) -> bool:
        """Whether fields come as texts."""
        return self.media_type in (FORM, MULTIPART)

    @property
    def is_json(self) -> bool:
        return self.media_type == "application/json" or self.media_type.endswith("+json")

    @property
    def is_text(self) -> bool:
        return self.media_type.startswith("text/") or self.media_type.endswith(("/xml", "+xml"))


@lru_cache(maxsize=1024)
def content_type(header: str | None) -> ContentType:
    """Parsed once for each of the few values that producers send. None where there is no header."""
    message = Message()
    message["Content-Type"] = header or BYTES
    boundary = message.get_param("boundary")
    return ContentType(
        header is not None,
        message.get_content_type(),
        message.get_content_charset(),
        boundary.rstrip() if isinstance(boundary, str) else None,
    )


def encoded(content: bytes, media_type: str) -> dict[str, Any]:
    """Bytes that are no text, as JSON carries them."""
    return {
        "encoding": "base64",
        "content_type": media_type,
        "size": len(content),
        "data": base64.b64encode(content).decode(),
    }
