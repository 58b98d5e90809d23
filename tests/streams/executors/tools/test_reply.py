"""Replies of tools, without what is secret."""

from streams.executors.tools.reply import Blob, ToolReply
from transport.masking import secrets_in


def test_no_part_of_a_reply_has_a_secret() -> None:
    reply = ToolReply(
        text="it is s3cret",
        json=({"key": "s3cret"},),
        blobs=(Blob(b"it is s3cret", "text/plain", "a.txt"), Blob(b"\xff s3cret", "image/png")),
        variables={"s3cret": 1},
        sent="GET /?key=s3cret",
    )
    assert reply.without(secrets_in(["s3cret"])) == ToolReply(
        text="it is ******",
        json=({"key": "******"},),
        # In what is no text it would be chance, and a picture is not to be spoilt by it.
        blobs=(Blob(b"it is ******", "text/plain", "a.txt"), Blob(b"\xff s3cret", "image/png")),
        variables={"******": 1},
        sent="GET /?key=******",
    )
    assert reply.without(None) == reply
