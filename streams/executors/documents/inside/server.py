"""A small process that has the parsers in memory and forks itself for every document.

It opens no document. A fork takes milliseconds where a fresh interpreter with the parsers takes half a
second, and whatever a document does to its process is gone with it.
"""

import json
import os
import signal
import socket
import sys
from typing import NoReturn

from streams.executors.documents.inside.errors import DocumentExtractorError, TextExtractionError
from streams.executors.documents.inside.formats import extract
from streams.executors.documents.inside.limits import (
    Limits,
    apply,
    end_with_parent,
    end_with_peer,
    stay_with_peer,
)
from streams.executors.sandbox.inside.frames import read_frame, write_frame

_MESSAGE_BYTES = 4096


def main() -> None:
    """Serves the control socket in `argv[1]` until the worker closes it. Each message is a connection."""
    control = socket.socket(fileno=int(sys.argv[1]))
    limits = Limits(**json.loads(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker's to handle
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks: the kernel buries them
    control.send(b"ready")
    server = os.getpid()
    while True:
        message, fds, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, 1)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            _serve(fds[0], limits, server)
        os.close(fds[0])


def _serve(connection: int, limits: Limits, server: int) -> NoReturn:
    """One document: its header and its bytes in, a reply out. Never returns into the server's loop."""
    try:
        end_with_parent(server)
        apply(limits)
        header = json.loads(read_frame(connection))
        content = read_frame(connection)
        end_with_peer(connection)
        reply = _reply(header, content, limits)
        stay_with_peer(connection)
        write_frame(connection, reply)
    except BaseException:  # the worker sees that there is no reply
        os._exit(1)
    os._exit(0)


def _reply(header: dict[str, str], content: bytes, limits: Limits) -> bytes:
    try:
        text = extract(content, header["extension"], header["mime_type"], limits.unpacked_bytes)
        encoded = text.encode("utf-8", "replace")
        if len(encoded) > limits.text_bytes:
            raise TextExtractionError(
                f"The text of the document has {len(encoded)} bytes, the limit is {limits.text_bytes}"
                " (HOPLINE_DOCUMENTS_MAX_TEXT_MB)"
            )
        return b"+" + encoded
    except DocumentExtractorError as error:
        return _refusal(type(error).__name__, str(error))
    except MemoryError:
        megabytes = limits.memory_bytes >> 20
        return _refusal(
            "TextExtractionError",
            f"The document needs more than {megabytes} MB of memory (HOPLINE_DOCUMENTS_MEMORY_MB)",
        )


def _refusal(name: str, why: str) -> bytes:
    return b"-" + json.dumps({"error_type": name, "error": why[:2000]}).encode()


if __name__ == "__main__":
    main()
