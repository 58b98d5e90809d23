"""A connection to a mailbox whose server means harm."""

import asyncio
from contextlib import closing

import pytest

from schemas.triggers.email import EmailConfig
from streams.sources.email.mailbox import Connections, Mailbox
from streams.sources.watching import Unavailable
from transport.egress import EgressPolicy


@pytest.mark.parametrize(
    "answer",
    [b"* 1 FETCH (BODY[] {99999999999}\r\n", (b"* 1 EXISTS" + b" " * 900_000 + b"\r\n") * 30],
    ids=["announced", "line by line"],
)
async def test_no_more_is_read_of_an_answer_than_it_may_have(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK\r\n")
        await reader.readline()
        writer.write(answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    config = EmailConfig(host="127.0.0.1", port=port, security="none", username="u", password="p")
    connections = Connections(EgressPolicy(["127.0.0.1"]), 1, 5, mail_max_bytes=1024)
    mailbox, told = Mailbox(connections, config), "an answer has more than 16778240 bytes"
    async with server:
        with closing(connections), closing(mailbox), pytest.raises(Unavailable, match=told):
            await mailbox.open(None)
