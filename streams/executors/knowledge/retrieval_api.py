"""Client of Dify's external knowledge API, which our own index speaks as well.

Format: docs.dify.ai, "External Knowledge API".
"""

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from schemas.models.dataset import Dataset
from streams.executors.knowledge.errors import ExternalKnowledgeError
from streams.executors.knowledge.passages import Passage
from transport.bounded import ReplyTooLong, whole
from transport.egress import EgressRefused

_MAX_ANSWER_BYTES = 16 << 20
_SHOWN_CHARS = 300
_MEANINGS = {
    1001: "the Authorization header is malformed",
    1002: "the API key is not accepted",
    2001: "there is no such knowledge base",
}
"""Suggested by the format for `error_code`."""


class RetrievalApi:
    """One HTTP client for endpoints of this format."""

    def __init__(self, session: aiohttp.ClientSession, timeout_s: float) -> None:
        """The session belongs to the caller, who decides what it may reach."""
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def retrieve(
        self, dataset: Dataset, url: URL, token: str | None, body: Mapping[str, Any]
    ) -> list[Passage]:
        """POSTs `body` to `url` + `/retrieval`. Raises `ExternalKnowledgeError`."""
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with self._session.post(
                url.joinpath("retrieval").with_query(url.query),
                data=orjson.dumps(body),
                headers={"Content-Type": "application/json", **authorization},
                timeout=self._timeout,
                allow_redirects=False,  # another host must not get the key
            ) as response:
                answer = _without(token, await whole(response, _MAX_ANSWER_BYTES))
                if response.status != 200:
                    raise ExternalKnowledgeError(f"{_who(dataset)}: {_refusal(response.status, answer)}")
        except EgressRefused as refused:
            raise ExternalKnowledgeError(f"{_who(dataset)}: {refused}") from refused
        except ReplyTooLong as too_long:
            raise ExternalKnowledgeError(f"{_who(dataset)}: {too_long}") from too_long
        except TimeoutError as late:
            raise ExternalKnowledgeError(f"{_who(dataset)} did not answer in time") from late
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ExternalKnowledgeError(f"{_who(dataset)} cannot be reached: {error}") from error
        return _passages(dataset, answer)


def request_body(
    knowledge_id: str, query: str, top_k: int, threshold: float | None, condition: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The body of a request; `condition`: logical_operator and conditions on metadata."""
    body: dict[str, Any] = {
        "knowledge_id": knowledge_id,
        "query": query,
        "retrieval_setting": {"top_k": top_k, "score_threshold": threshold or 0.0},
    }
    return {**body, "metadata_condition": dict(condition)} if condition else body


def _without(token: str | None, answer: bytes) -> bytes:
    """Some services repeat the key that they refuse, and whatever they answer is recorded."""
    return answer.replace(token.encode(), b"******") if token else answer


def _passages(dataset: Dataset, answer: bytes) -> list[Passage]:
    try:
        records = orjson.loads(answer)["records"]
        return [_passage(dataset, record) for record in records]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ExternalKnowledgeError(
            f"{_who(dataset)} answered what has no records: {_shown(answer)}. Is the endpoint right?"
        ) from error


def _passage(dataset: Dataset, record: Mapping[str, Any]) -> Passage:
    """Records are taken with what they have: as Dify does."""
    score, metadata = record.get("score"), record.get("metadata")
    return Passage(
        dataset=dataset,
        content=str(record.get("content") or ""),
        title=str(record.get("title") or ""),
        score=float(score) if isinstance(score, int | float) else None,
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _refusal(status: int, answer: bytes) -> str:
    try:
        told = orjson.loads(answer)
        code = told.get("error_code") if isinstance(told.get("error_code"), int | str) else None
        detail = told.get("error_msg") or told.get("detail") or told.get("title") or ""
    except (orjson.JSONDecodeError, AttributeError):
        return f"answered with status {status}: {_shown(answer)}"
    meaning = _MEANINGS.get(code, "") if isinstance(code, int) else ""
    why = ": ".join(filter(None, (meaning, str(detail)[:_SHOWN_CHARS])))
    number = f" and error code {code}" if code is not None else ""
    return f"answered with status {status}{number}: {why or _shown(answer)}"


def _shown(answer: bytes) -> str:
    return " ".join(answer[:_SHOWN_CHARS].decode("utf-8", "replace").split()) or "nothing"


def _who(dataset: Dataset) -> str:
    return f"dataset {dataset.name!r}"
