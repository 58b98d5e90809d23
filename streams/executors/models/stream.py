"""Server-Sent Events, as far as a stream of completions uses them. Pure: bytes in, payloads out."""

from collections.abc import Iterator

END = "[DONE]"
"""The payload after which nothing comes."""


class EventDecoder:
    """Takes a body in pieces as they arrive. Source: WHATWG HTML, section 9.2.6; only data is kept."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []

    def feed(self, piece: bytes) -> Iterator[str]:
        """The data of each event that is complete by now."""
        # A piece may end between CR and LF: the CR waits for what comes after it.
        text = self._rest + piece
        held = text.endswith(b"\r")
        lines = (text[:-1] if held else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + (b"\r" if held else b"")
        for line in lines:
            yield from self._take(line)

    def close(self) -> Iterator[str]:
        """An event that its sender has not ended: some servers leave out the last blank line."""
        yield from self._take(self._rest.rstrip(b"\r"))
        self._rest = b""
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[str]:
        if not line:
            if self._lines:
                yield "\n".join(self._lines)
            self._lines = []
        elif line.startswith(b"data:"):
            self._lines.append(line[5:].removeprefix(b" ").decode("utf-8", "replace"))
