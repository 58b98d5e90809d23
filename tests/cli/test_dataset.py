"""`hopline dataset`: what is sent, and what is shown."""

from pathlib import Path
from typing import Any

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

INDEX = {"id": "d1", "name": "faq", "kind": "index", "embedding": None, "endpoint": None, "description": ""}
DOCUMENT: dict[str, Any] = {
    "id": "x1", "version": 7, "name": "a.md", "status": "COMPLETED", "chunk_count": 3, "error": None,
}  # fmt: skip


def test_create_sends_what_was_given(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/datasets", INDEX, 201)
    result = hopline(
        "dataset", "create", "faq", "--alias", "c9", "--embedding", "openai:e:3", "--dimensions", "8",
        "--top-k", "3", "--chunk-chars", "500", "--metadata-field", "lang",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert api.seen[-1].json == {
        "name": "faq",
        "kind": "index",
        "aliases": ["c9"],
        "credentials": {},
        "embedding": {"provider": "openai", "model": "e:3", "dimensions": 8},
        "retrieval": {"top_k": 3},
        "chunking": {"max_chars": 500},
        "metadata_fields": ["lang"],
    }


def test_an_external_one_reads_its_key_from_a_file(hopline: Hopline, api: CannedApi, tmp_path: Path) -> None:
    api.says("POST /api/v1/datasets", INDEX, 201)
    key = tmp_path / "key"
    key.write_text("secret\n")
    result = hopline(
        "dataset", "create", "faq", "--external", "https://kb/v1", "--knowledge-id", "K",
        "--api-key", f"@{key}",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    sent = api.seen[-1].json
    assert (sent["kind"], sent["endpoint"], sent["knowledge_id"]) == ("external", "https://kb/v1", "K")
    assert sent["credentials"] == {"api_key": "secret"}


def test_a_dataset_is_replaced_and_keeps_its_key(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/datasets", {"data": [{**INDEX, "credentials": {"api_key": "********"}}]})
    api.says("PUT /api/v1/datasets/faq", INDEX)
    replace = ("dataset", "create", "faq", "--external", "http://new", "--knowledge-id", "k", "--replace")
    assert hopline(*replace).stdout == "replaced faq\n"
    assert (api.seen[-1].method, api.seen[-1].json["credentials"]) == ("PUT", {"api_key": "********"})


def test_an_embedding_without_a_model_is_wrong_usage(hopline: Hopline, api: CannedApi) -> None:
    assert hopline("dataset", "create", "faq", "--embedding", "openai").exit_code == 2


def added(api: CannedApi, *states: dict[str, Any]) -> None:
    api.says("POST /api/v1/files", {"id": "f1"}, 201)
    api.says("POST /api/v1/datasets/faq/documents", {**DOCUMENT, "status": "QUEUED"}, 202)
    api.answers["GET /api/v1/datasets/faq/documents/x1"] = [
        (404, {"detail": "not yet"}),
        *((200, state) for state in states),
    ]


def test_add_waits_until_this_version_can_be_found(hopline: Hopline, api: CannedApi, tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("# A")
    added(api, {**DOCUMENT, "version": 6}, {**DOCUMENT, "status": "QUEUED"}, DOCUMENT)
    result = hopline("dataset", "add", "faq", str(file), "--metadata", "lang=en")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "x1\tCOMPLETED\t3\ta.md\t"
    (posted,) = [one for one in api.seen if one.path == "/api/v1/datasets/faq/documents"]
    assert posted.json == {"file_id": "f1", "metadata": {"lang": "en"}}
    assert len([one for one in api.seen if one.method == "GET"]) == 4


def test_a_document_that_fails_is_a_failure(hopline: Hopline, api: CannedApi, tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("# A")
    added(api, {**DOCUMENT, "status": "FAILED", "error": "no text"})
    result = hopline("dataset", "add", "faq", str(file))
    assert result.exit_code == 1
    assert "no text" in result.stdout
    assert "1 of 1 documents cannot be indexed" in result.stderr


def test_search_shows_scores_and_the_beginning_of_chunks(hopline: Hopline, api: CannedApi) -> None:
    records = [{"score": 0.51234, "title": "a.md", "content": "one\n" + "x" * 200, "metadata": {}}]
    api.says("POST /api/v1/datasets/faq/search", {"records": records})
    result = hopline("dataset", "search", "faq", "what?", "--top-k", "1")
    assert api.seen[-1].json == {"query": "what?", "top_k": 1}
    score, title, content = result.stdout.splitlines()[1].split("\t")
    assert (score, title, len(content)) == ("0.512", "a.md", 100)
    assert content.startswith("one x")


def test_show_lists_the_documents_of_an_index(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/datasets/faq", INDEX)
    api.says("GET /api/v1/datasets/faq/documents", {"data": [DOCUMENT]})
    assert "x1\tCOMPLETED\t3\ta.md" in hopline("dataset", "show", "faq").stdout
    api.says("GET /api/v1/datasets/faq", {**INDEX, "kind": "external"})
    assert "x1" not in hopline("dataset", "show", "faq").stdout


def test_remove_and_delete_name_what_is_gone(hopline: Hopline, api: CannedApi) -> None:
    api.says("DELETE /api/v1/datasets/faq/documents/x1", None, 204)
    api.says("DELETE /api/v1/datasets/faq", None, 204)
    assert hopline("dataset", "remove", "faq", "x1").exit_code == 0
    assert hopline("dataset", "delete", "faq").exit_code == 0
