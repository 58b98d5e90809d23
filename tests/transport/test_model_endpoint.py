"""Requests to model endpoints: what is tried again, what is not, and that no key is shown."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from schemas.models import ModelProvider
from schemas.models.dataset import Embedding
from tests.streams.executors.knowledge.library import Library, running_library
from tests.streams.executors.receiver import repeating_server
from transport.egress import EgressPolicy
from transport.embeddings import embed
from transport.errors import ModelRefused
from transport.guarded_session import EgressGuard
from transport.model_endpoint import ModelEndpoint

KEY = "sk-1234567890"


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    async with running_library() as library:
        yield library


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def endpoint(library: Library, session: aiohttp.ClientSession, **fields: Any) -> ModelEndpoint:
    provider = ModelProvider(
        id="m", name="m", base_url=f"{library.url}/v1?v=1", max_retry_wait_s=0.001, **fields
    )
    return ModelEndpoint(provider, KEY, session)


async def test_what_may_pass_is_tried_again(library: Library, session: aiohttp.ClientSession) -> None:
    answers: list[Any] = [(503, {}), (429, {}), {"ok": 1}]
    library.answers["/v1/x"] = lambda _: answers.pop(0)
    assert await endpoint(library, session).post("x", {"a": 1}) == {"ok": 1}
    assert [asked.body for asked in library.asked] == [{"a": 1}] * 3
    assert library.asked[0].authorization == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("answer", "requests", "why"),
    [
        ((500, {"error": "down"}), 2, "status 500"),
        ((429, {"error": "busy"}, {"Retry-After": "0"}), 2, "status 429"),
        ((429, {"error": "busy"}, {"Retry-After": "3600"}), 1, "status 429"),
        ((401, {"error": f"bad key {KEY}"}), 1, r"bad key \*\*\*"),
        (b"<html>", 1, "not JSON: <html>"),
        ((400, b"x" * 295 + KEY.encode()), 1, r"xxx\*\*\*"),
    ],
)
async def test_what_stays_wrong_says_why(
    library: Library, session: aiohttp.ClientSession, answer: Any, requests: int, why: str
) -> None:
    library.answers["/v1/x"] = lambda _: answer
    with pytest.raises(ModelRefused, match=why) as raised:
        await endpoint(library, session, max_retries=1).post("x", {})
    assert KEY not in str(raised.value)
    assert len(library.asked) == requests


async def test_an_answer_that_is_no_http_tells_no_key(
    library: Library, session: aiohttp.ClientSession
) -> None:
    async with repeating_server() as library.url:
        with pytest.raises(ModelRefused, match=r"cannot be reached: .*\*{6}") as raised:
            await endpoint(library, session, max_retries=0).post("x", {})
    assert KEY not in str(raised.value)


async def test_an_address_that_is_not_allowed_is_not_tried_again(library: Library) -> None:
    async with EgressGuard(EgressPolicy(())).session() as guarded:
        with pytest.raises(ModelRefused, match=r"model provider 'm': Access to .* was blocked"):
            await endpoint(library, guarded, max_retries=10).post("x", {})
    assert library.asked == []


async def test_all_attempts_together_have_a_limit(library: Library, session: aiohttp.ClientSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        library.url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ModelRefused, match=r"did not answer within 0\.2 s"):
            await endpoint(library, session, timeout_s=0.2).post("x", {})


async def test_nobody_there(library: Library, session: aiohttp.ClientSession) -> None:
    library.url = "http://127.0.0.1:9"
    with pytest.raises(ModelRefused, match="cannot be reached"):
        await endpoint(library, session, max_retries=1).post("x", {})


@pytest.mark.parametrize("indexes", [[0, 1, 2], [2, 1, 0], [None, 1, 2], [None, None, None]])
async def test_embeddings_are_put_in_order(
    library: Library, session: aiohttp.ClientSession, indexes: list[int | None]
) -> None:
    answered = [
        {"embedding": [place if index is None else index, 9]} | ({} if index is None else {"index": index})
        for place, index in enumerate(indexes)
    ]
    library.answers["/v1/embeddings"] = lambda _: {"data": answered}
    found = await embed(endpoint(library, session), Embedding(provider="m", model="e"), ["a", "b", "c"])
    assert [list(vector) for vector in found] == [[0, 9], [1, 9], [2, 9]]
    assert memoryview(found[0]).nbytes == 2 * 4


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "no embeddings"),
        ([{"index": 0}], "no embeddings"),
        (["no"], "no embeddings"),
        ([{"index": 0, "embedding": "AACAPw=="}], "no embeddings"),
        ([{"index": 0, "embedding": [None]}], "no embeddings"),
        ([{"index": 0, "embedding": [1]}], "1 embeddings for 2 texts"),
        ([{"index": 0, "embedding": [1]}, {"index": 1, "embedding": []}], "embeddings for 2 texts"),
        ([{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}], "different lengths"),
    ],
)
async def test_embeddings_that_are_none_are_refused(
    library: Library, session: aiohttp.ClientSession, data: Any, why: str
) -> None:
    library.answers["/v1/embeddings"] = lambda _: {"data": data}
    with pytest.raises(ModelRefused, match=why):
        await embed(endpoint(library, session), Embedding(provider="m", model="e"), ["a", "b"])
