"""Server-Sent Events, as far as a stream of completions uses them. Pure: bytes in, payloads out."""

from collections.abc import Iterator

END = "[DONE]"
"""The payload after which nothing comes."""


class EventDecoder:
    """Takes a body in pieces as they arrive. Source: WHATWG HTML, section 9.2.6; only data is kept."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._cr = False
        self._lines: list[str] = []

    def feed(self, piece: bytes) -> Iterator[str]:
        """The data of each event that is complete by now."""
        self._pieces.append(piece)
        if not self._cr and b"\n" not in piece and b"\r" not in piece:
            return  # a line may have megabytes: it is put together once
        body = b"".join(self._pieces)
        # A piece may end between CR and LF: the CR waits for what comes after it.
        self._cr = body.endswith(b"\r")
        ended = body[:-1] if self._cr else body
        *lines, rest = ended.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._pieces = [rest + b"\r" if self._cr else rest]
        for line in lines:
            yield from self._take(line)

    def close(self) -> Iterator[str]:
        """An event that its sender has not ended: some servers leave out the last blank line."""
        rest, self._pieces = b"".join(self._pieces), []
        yield from self._take(rest.rstrip(b"\r"))
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[str]:
        if not line:
            if self._lines:
                yield "\n".join(self._lines)
            self._lines = []
        elif line.startswith(b"data:"):
            self._lines.append(line[5:].removeprefix(b" ").decode("utf-8", "replace"))
