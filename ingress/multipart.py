"""Multipart forms (RFC 7578) of which every byte is here. Pure.

aiohttp reads them as they come, line by line: of a body full of short lines for as long as nobody else is
answered.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from aiohttp import content_disposition_filename, parse_content_disposition

_MOST_HEAD_BYTES = 8190
_MOST_PARAMETERS = 32
"""Of a Content-Disposition. aiohttp warns of each odd one, which takes longer than all else."""

_DECODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "": bytes,
    "7bit": bytes,
    "8bit": bytes,
    "binary": bytes,
    "base64": base64.b64decode,
    "quoted-printable": binascii.a2b_qp,
}
"""By Content-Transfer-Encoding, which few producers still set."""


class Part(NamedTuple):
    """One field of a form, or one file."""

    name: str
    filename: str | None
    """None for a field."""
    content_type: str | None
    content: bytes


def parts_of(raw: bytes, boundary: str, most: int) -> Iterator[Part]:
    """In their order. Raises `ValueError` where it is no form, or one of more than `most` parts."""
    if not boundary:
        raise ValueError("its Content-Type names no boundary")
    delimiter = b"\r\n--" + boundary.encode("ascii")
    _, *sections = (b"\r\n" + raw).split(delimiter, most + 1)
    for number, section in enumerate(sections):
        if section.startswith(b"--"):
            return
        if number == most:
            raise ValueError(f"it has more than {most} parts")
        yield _part(section)
    raise ValueError("its last boundary is missing")


def _part(section: bytes) -> Part:
    head, separator, content = section.partition(b"\r\n\r\n")
    if not separator and section.endswith(b"\r\n"):
        # Nothing but headers, behind which the line break is that of the boundary (RFC 2046, section 5.1.1).
        head, separator, content = section[:-2], section[-2:], b""
    if not separator or len(head) > _MOST_HEAD_BYTES:
        raise ValueError(f"the headers of a part end after {_MOST_HEAD_BYTES} bytes at the latest")
    padding, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    if padding.strip(" \t"):
        raise ValueError("something follows a boundary in its line")
    headers = dict(map(_header, lines))
    given = headers.get("content-disposition", "")
    if given.count(";") > _MOST_PARAMETERS:
        raise ValueError(f"a Content-Disposition has at most {_MOST_PARAMETERS} parameters")
    _, disposition = parse_content_disposition(given)
    name = content_disposition_filename(disposition, "name")
    if name is None:
        raise ValueError("each of its parts needs a name")
    encoding = headers.get("content-transfer-encoding", "").lower()
    if encoding not in _DECODERS:
        raise ValueError(f"nobody knows the Content-Transfer-Encoding {encoding}")
    filename = content_disposition_filename(disposition)
    return Part(name, filename, headers.get("content-type"), _DECODERS[encoding](content))


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"{line!r} is no header of a part")
    return name.strip(" \t").lower(), value.strip(" \t")
