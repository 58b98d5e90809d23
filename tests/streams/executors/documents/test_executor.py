"""The document-extractor node, from its data to its outputs."""

from collections.abc import Mapping
from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from schemas.nodes.document_extractor import DocumentExtractorData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.document_extractor import compile_document_extractor
from streams.engine.nodes.protocol import Task
from streams.executors.documents.executor import DocumentExtractorExecutor
from streams.executors.documents.processes import DocumentParsers
from streams.executors.errors import FileUnreadable
from streams.executors.outcome import NodeCall, Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORED = {"a": b"first", "b": b"x,y\n1,2"}


def file(file_id: str, extension: str = ".txt", **more: Any) -> dict[str, Any]:
    return {"dify_model_identity": FILE_IDENTITY, "related_id": file_id, "extension": extension, **more}


def task(value: Any) -> Task:
    data = {"type": "document-extractor", "title": "T", "variable_selector": ["n", "v"]}
    return compile_document_extractor(DocumentExtractorData.model_validate(data)).task({"n": {"v": value}})


async def read_file(value: Mapping[str, Any], tenant_id: str) -> bytes:
    assert tenant_id == "tenant"
    if value["related_id"] not in STORED:
        raise FileUnreadable("there is no such file")
    return STORED[value["related_id"]]


async def run(parsers: DocumentParsers, value: Any) -> Outcome:
    described = task(value)
    call = NodeCall(
        node_type="document-extractor",
        config=described.config,
        inputs=described.inputs,
        execution_id="e",
        tenant_id="tenant",
    )
    return await DocumentExtractorExecutor(parsers, read_file)(call)


async def test_the_text_of_a_file_is_a_text(parsers: DocumentParsers) -> None:
    outcome = await run(parsers, file("a"))
    assert outcome.status == "succeeded"
    assert outcome.outputs == {"text": "first"}
    assert outcome.process_data == {"documents": [file("a")]}


async def test_the_texts_of_a_list_are_a_list(parsers: DocumentParsers) -> None:
    outcome = await run(parsers, [file("b", "csv"), None, file("a", "", mime_type="text/plain")])
    assert outcome.outputs == {"text": ["| x | y |\n| - | - |\n| 1 | 2 |\n", "first"]}


@pytest.mark.parametrize("empty", [[], None, "", [None]])
async def test_nothing_has_no_texts(parsers: DocumentParsers, empty: Any) -> None:
    assert (await run(parsers, empty)).outputs == {"text": []}


async def test_a_name_tells_the_format_where_nothing_else_does(parsers: DocumentParsers) -> None:
    assert (await run(parsers, file("b", "", filename="b.csv"))).outputs["text"].startswith("| x | y |")


@pytest.mark.parametrize(
    ("bad", "error_type"),
    [
        (file("gone"), "FileDownloadError"),
        (file("a", ".exe"), "UnsupportedFileTypeError"),
        (file("a", ".pdf"), "TextExtractionError"),
    ],
)
async def test_one_bad_file_fails_the_node(parsers: DocumentParsers, bad: Any, error_type: str) -> None:
    outcome = await run(parsers, [file("a"), bad])
    assert (outcome.status, outcome.error_type, outcome.outputs) == ("failed", error_type, {})
    assert outcome.process_data == {"documents": [file("a"), bad]}


async def test_what_is_no_file_cannot_be_extracted() -> None:
    with pytest.raises(NodeFailure, match="is not an ArrayFileSegment"):
        task("text")
    data = DocumentExtractorData.model_validate(
        {"type": "document-extractor", "variable_selector": ["n", "v"]}
    )
    with pytest.raises(NodeFailure, match="File variable not found"):
        compile_document_extractor(data).task({})
