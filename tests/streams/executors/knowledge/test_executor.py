"""The knowledge-retrieval node, from its data to its outputs, against a real server."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT
from schemas.nodes.knowledge_retrieval import KnowledgeRetrievalData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.knowledge_retrieval import compile_knowledge_retrieval
from streams.engine.nodes.protocol import Task
from streams.executors.errors import NotConfigured
from streams.executors.knowledge.errors import ExternalKnowledgeError, RerankingError
from streams.executors.outcome import NodeCall, Outcome
from tests.streams.executors.knowledge.library import BOX, KEY, Library, executor_of, running_library, sealed
from transport.service_token import tenant_of

POOL = {"n": {"q": "how long?", "number": 1, "empty": "", "lang": "en"}}
CHOICE = {"provider": "langgenius/openai/openai", "name": "gpt", "mode": "chat", "completion_params": {}}


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    async with running_library() as library:
        yield library


def record(content: str, score: float | None = 0.5, **metadata: Any) -> dict[str, Any]:
    return {"content": content, "score": score, "title": f"about {content}", "metadata": metadata}


def task(query: str = "q", **data: Any) -> Task:
    node = {
        "type": "knowledge-retrieval",
        "title": "T",
        "query_variable_selector": ["n", query],
        "retrieval_mode": "multiple",
        "multiple_retrieval_config": {"top_k": 3, "reranking_enable": False},
        **data,
    }
    return compile_knowledge_retrieval(KnowledgeRetrievalData.model_validate(node)).task(POOL)


async def run(library: Library, *, allow: tuple[str, ...] = ("127.0.0.1",), **data: Any) -> Outcome:
    described = task(**data)
    call = NodeCall(
        node_type="knowledge-retrieval",
        config=described.config,
        inputs=described.inputs,
        execution_id="e",
        tenant_id=DEFAULT_TENANT,
    )
    async with executor_of(library, allow) as execute:
        return await execute(call)


async def test_the_request_and_the_result_of_an_external_dataset(library: Library) -> None:
    library.dataset("faq", credentials=sealed(api_key=KEY))
    library.holds(record("14 days", 0.98, page=3), record("30 days", 0.99))
    outcome = await run(library, dataset_ids=["faq"])
    asked = library.asked[0]
    assert (asked.path, asked.authorization) == ("/retrieval", f"Bearer {KEY}")
    assert asked.body == {
        "knowledge_id": "id-of-faq",
        "query": "how long?",
        "retrieval_setting": {"top_k": 3, "score_threshold": 0.0},
    }
    best, second = outcome.outputs["result"]
    assert [best["content"], second["content"]] == ["30 days", "14 days"]
    assert second == {
        "metadata": {
            "_source": "knowledge",
            "position": 2,
            "dataset_id": "faq-id",
            "dataset_name": "faq",
            "document_id": "about 14 days",
            "document_name": "about 14 days",
            "data_source_type": "external",
            "retriever_from": "workflow",
            "score": 0.98,
            "doc_metadata": {"page": 3},
        },
        "title": "about 14 days",
        "content": "14 days",
        "files": [],
    }


async def test_an_index_is_asked_as_the_tenant(library: Library) -> None:
    library.dataset("handbook", kind="index", aliases=["c9f1"])
    chunk = {"id": "c1", "document_id": "d1", "position": 4, "hash": "h"}
    library.holds(record("text", _chunk=chunk, lang="en"), path="/api/v1/knowledge/retrieval")
    weights = {"vector_setting": {"vector_weight": 0.2}, "keyword_setting": {"keyword_weight": 0.8}}
    config = {"top_k": 2, "score_threshold": 0.1, "reranking_mode": "weighted_score", "weights": weights}
    outcome = await run(library, dataset_ids=["c9f1"], multiple_retrieval_config=config)
    asked = library.asked[0]
    scheme, token = asked.authorization.split(" ")
    assert scheme == "Bearer"
    assert tenant_of(BOX, token, 0.0) == DEFAULT_TENANT
    assert asked.body["knowledge_id"] == "handbook-id"
    assert asked.body["retrieval_setting"] == {"top_k": 2, "score_threshold": 0.1, "vector_weight": 0.2}
    metadata = outcome.outputs["result"][0]["metadata"]
    assert metadata["data_source_type"] == "upload_file"
    assert (metadata["document_id"], metadata["segment_id"], metadata["segment_position"]) == ("d1", "c1", 4)
    assert metadata["doc_metadata"] == {"lang": "en"}


async def test_several_datasets_share_the_places(library: Library) -> None:
    library.dataset("a", endpoint=f"{library.url}/a")
    library.dataset("b", endpoint=f"{library.url}/b")
    library.holds(record("a1", 0.9), record("same", 0.7), record("same", 0.6), path="/a/retrieval")
    library.holds(record("b1", 0.8), record("b2", 0.1), record("b3", None), path="/b/retrieval")
    outcome = await run(library, dataset_ids=["a", "b", "a-id"])
    assert [item["content"] for item in outcome.outputs["result"]] == ["a1", "b1", "same"]
    config = {"top_k": 9, "score_threshold": 0.75, "reranking_enable": False}
    outcome = await run(library, dataset_ids=["a", "b"], multiple_retrieval_config=config)
    # What has no score can't be held against the threshold.
    assert [item["content"] for item in outcome.outputs["result"]] == ["a1", "b1", "b3"]
    off = {**config, "score_threshold_enabled": False}
    outcome = await run(library, dataset_ids=["a", "b"], multiple_retrieval_config=off)
    assert len(outcome.outputs["result"]) == 5


async def test_a_reranking_model_gives_order_and_scores(library: Library) -> None:
    library.dataset("a")
    library.models()
    library.holds(record("x", 0.9), record("y", 0.1))
    scores = [{"index": 1, "relevance_score": 0.8}, {"index": 0, "relevance_score": 0.2}]
    library.answers["/v1/rerank"] = lambda _: {"results": scores}
    config = {
        "top_k": 2,
        "score_threshold": 0.5,
        "reranking_enable": True,
        "reranking_mode": "reranking_model",
        "reranking_model": {"provider": "openai", "model": "bge"},
    }
    outcome = await run(library, dataset_ids=["a"], multiple_retrieval_config=config)
    assert library.asked[0].body["retrieval_setting"]["score_threshold"] == 0.0
    assert library.asked[1].body["documents"] == ["x", "y"]
    assert [(i["content"], i["metadata"]["score"]) for i in outcome.outputs["result"]] == [("y", 0.8)]
    library.answers["/v1/rerank"] = lambda _: (400, {"error": "no such model"})
    with pytest.raises(RerankingError, match="no such model"):
        await run(library, dataset_ids=["a"], multiple_retrieval_config=config)


def called(name: str, arguments: str = "{}") -> dict[str, Any]:
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call] if name else []}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


async def test_a_model_chooses_one_dataset(library: Library) -> None:
    library.models()
    library.dataset("a", endpoint=f"{library.url}/a", description="about animals")
    library.dataset("b", endpoint=f"{library.url}/b", retrieval={"top_k": 1})
    library.holds(record("b1"), record("b2"), path="/b/retrieval")
    library.answers["/v1/chat/completions"] = lambda _: called("dataset_1")
    single = {"retrieval_mode": "single", "single_retrieval_config": {"model": CHOICE}}
    outcome = await run(library, dataset_ids=["a", "b"], **single)
    tools = [tool["function"] for tool in library.asked[0].body["tools"]]
    assert [tool["description"] for tool in tools] == ["about animals", "Questions about b"]
    assert [item["content"] for item in outcome.outputs["result"]] == ["b1"]
    library.answers["/v1/chat/completions"] = lambda _: called("")
    assert (await run(library, dataset_ids=["a", "b"], **single)).outputs == {"result": []}


async def test_a_single_dataset_needs_no_model(library: Library) -> None:
    library.dataset("a")
    library.holds(record("x"))
    assert len((await run(library, dataset_ids=["a"], retrieval_mode="single")).outputs["result"]) == 1


async def test_conditions_on_metadata_have_their_variables_filled_in(library: Library) -> None:
    library.dataset("a")
    library.holds()
    conditions = [
        {"id": "1", "name": "lang", "comparison_operator": "is", "value": "{{#n.lang#}}"},
        {"name": "year", "comparison_operator": ">", "value": 2020},
        {"name": "kind", "comparison_operator": "in", "value": ["{{#n.lang#}}", "x"]},
    ]
    await run(
        library,
        dataset_ids=["a"],
        metadata_filtering_mode="manual",
        metadata_filtering_conditions={"logical_operator": "or", "conditions": conditions},
    )
    sent = library.asked[0].body["metadata_condition"]
    assert sent["logical_operator"] == "or"
    assert [one["value"] for one in sent["conditions"]] == ["en", 2020, ["en", "x"]]


async def test_a_model_puts_the_conditions(library: Library) -> None:
    library.models()
    library.dataset("a", metadata_fields=["lang"])
    library.holds()
    arguments = (
        '{"conditions": [{"name": "lang", "comparison_operator": "is", "value": "en"},'
        ' {"name": "made up", "comparison_operator": "is", "value": "x"}]}'
    )
    library.answers["/v1/chat/completions"] = lambda _: called("filter_documents", arguments)
    outcome = await run(
        library, dataset_ids=["a"], metadata_filtering_mode="automatic", metadata_model_config=CHOICE
    )
    expected = {"name": "lang", "comparison_operator": "is", "value": "en"}
    assert library.asked[0].key == "e/conditions"
    assert library.asked[1].body["metadata_condition"]["conditions"] == [expected]
    assert outcome.process_data["metadata_condition"]["conditions"] == [expected]


async def test_without_datasets_nothing_is_found(library: Library) -> None:
    assert (await run(library, dataset_ids=[])).outputs == {"result": []}
    assert library.asked == []


async def test_a_dataset_that_is_not_there_is_named(library: Library) -> None:
    library.dataset("a")
    with pytest.raises(NotConfigured, match=r"dataset 'gone' is not configured \(there are: a\)"):
        await run(library, dataset_ids=["a", "gone"])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            (403, {"error_code": 1002, "error_msg": "bad key"}),
            "error code 1002: the API key is not accepted: bad key",
        ),
        ((404, {"error_code": 2001}), "there is no such knowledge base"),
        ((500, {"error_code": {"odd": 1}, "error_msg": "down"}), "status 500: down"),
        ((500, b"<html>oops"), "status 500: <html>oops"),
        (b"not json", "has no records: not json"),
        ({"results": []}, "has no records"),
        ((302, b""), "status 302"),
    ],
)
async def test_a_refusal_says_why(library: Library, answer: Any, why: str) -> None:
    library.dataset("a")
    library.answers["/retrieval"] = lambda _: answer
    with pytest.raises(ExternalKnowledgeError, match="dataset 'a'") as raised:
        await run(library, dataset_ids=["a"])
    assert why in str(raised.value)


async def test_a_key_that_is_repeated_is_not_shown(library: Library) -> None:
    library.dataset("a", credentials=sealed(api_key=KEY))
    library.answers["/retrieval"] = lambda _: (403, {"error_msg": f"{'x' * 290}{KEY}"})
    with pytest.raises(ExternalKnowledgeError, match=r"x\*\*\*\*\*\*"):
        await run(library, dataset_ids=["a"])
    library.holds({"content": f"you are {KEY}"})
    [item] = (await run(library, dataset_ids=["a"])).outputs["result"]
    assert item["content"] == "you are ******"


async def test_records_are_taken_with_what_they_have(library: Library) -> None:
    library.dataset("a")
    odd = [{"metadata": None, "score": 1}, {"metadata": ["y"], "score": 0.5}, {"metadata": {"_chunk": {}}}]
    library.holds(*({"content": str(number), **one} for number, one in enumerate(odd)))
    result = (await run(library, dataset_ids=["a"])).outputs["result"]
    assert [(item["content"], item["title"]) for item in result] == [("0", ""), ("1", ""), ("2", "")]
    assert [item["metadata"]["doc_metadata"] for item in result] == [{}, {}, {}]


async def test_an_external_dataset_may_not_be_on_a_private_address(library: Library) -> None:
    library.dataset("a")
    with pytest.raises(ExternalKnowledgeError, match="loopback"):
        await run(library, dataset_ids=["a"], allow=())


@pytest.mark.parametrize(
    ("query", "why"), [("number", "not string"), ("empty", "required"), ("gone", "required")]
)
def test_a_query_is_needed(query: str, why: str) -> None:
    with pytest.raises(NodeFailure, match=why):
        task(query)


def test_what_real_exports_have_is_read() -> None:
    data = KnowledgeRetrievalData.model_validate(
        {
            "type": "knowledge-retrieval",
            "dataset_ids": [],
            "retrieval_mode": "multiple",
            "multiple_retrieval_config": {
                "top_k": 4,
                "score_threshold": None,
                "reranking_enable": None,
                "reranking_model": {"reranking_provider_name": "p", "reranking_model_name": "m"},
                "weights": None,
            },
            "metadata_filtering_conditions": None,
            "single_retrieval_config": None,
        }
    )
    config = data.multiple_retrieval_config
    assert config is not None
    assert config.reranking_model is not None
    assert (config.reranking_model.provider, config.reranking_model.model) == ("p", "m")
    assert config.reranker is None
    assert [field for field, _ in data.remarks()] == ["dataset_ids", "query_variable_selector"]
