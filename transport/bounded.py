"""Reads replies of which nobody knows how long they are."""

from collections.abc import AsyncIterator

import aiohttp


class ReplyTooLong(ValueError):
    """The text says how long it may be."""


async def pieces(response: aiohttp.ClientResponse, most_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes, decoded. Raises `ReplyTooLong` once it has more than `most_bytes`."""
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > most_bytes:
            raise ReplyTooLong(f"the reply is longer than {most_bytes / (1 << 20):g} MB")
        yield piece


async def whole(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """All of it. Raises likewise."""
    return b"".join([piece async for piece in pieces(response, most_bytes)])
