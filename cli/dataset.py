"""`hopline dataset`: what knowledge-retrieval nodes look things up in."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from cli.client import Client, Refused, connect
from cli.errors import CommandFailed
from cli.files import FILE, secret_text
from cli.output import json_option, show_fields, show_json, show_table
from cli.pairs import Pair
from cli.providers import replace_option, save

_METHODS = ("full_text_search", "semantic_search", "hybrid_search")
_POLL_S = 0.2
_NOT_FOUND = 404
_SHOWN_CHARS = 100


@click.group("dataset")
def dataset() -> None:
    """What knowledge-retrieval nodes look things up in: an index of documents, or somebody else's."""


@dataset.command("create")
@click.argument("name")
@click.option("--description", help="What a model that chooses among datasets is told.")
@click.option("--alias", "aliases", multiple=True, help="Dataset id in an exported workflow; repeatable.")
@click.option("--external", "endpoint", metavar="URL", help="Endpoint of an external knowledge API.")
@click.option("--knowledge-id", metavar="ID", help="What that API calls the dataset.")
@click.option("--api-key", help="For that API. @FILE reads it from a file.")
@click.option("--embedding", metavar="PROVIDER:MODEL", help="Vectors for the index, by this model.")
@click.option("--dimensions", type=click.IntRange(1), help="Of the vectors, where the model offers several.")
@click.option("--search-method", type=click.Choice(_METHODS), help="Where a node says nothing about it.")
@click.option("--top-k", type=click.IntRange(1, 100), help="Likewise.")
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Likewise.")
@click.option("--vector-weight", type=click.FloatRange(0, 1), help="Likewise, in a hybrid search.")
@click.option("--chunk-chars", type=click.IntRange(50), help="Of a chunk at most.  [default: 1024]")
@click.option("--overlap-chars", type=click.IntRange(0), help="What chunks share.  [default: 50]")
@click.option("--metadata-field", "fields", multiple=True, help="What a model may filter by; repeatable.")
@replace_option
@json_option
def create(
    *,
    name: str,
    description: str | None,
    aliases: Sequence[str],
    endpoint: str | None,
    knowledge_id: str | None,
    api_key: str | None,
    embedding: str | None,
    dimensions: int | None,
    search_method: str | None,
    top_k: int | None,
    score_threshold: float | None,
    vector_weight: float | None,
    chunk_chars: int | None,
    overlap_chars: int | None,
    fields: Sequence[str],
    replace: bool,
    as_json: bool,
) -> None:
    """Create the dataset that nodes call NAME."""
    retrieval = {
        "search_method": search_method,
        "top_k": top_k,
        "score_threshold": score_threshold,
        "vector_weight": vector_weight,
    }
    wanted = {
        "name": name,
        "kind": "external" if endpoint else "index",
        "description": description,
        "aliases": list(aliases),
        "endpoint": endpoint,
        "knowledge_id": knowledge_id,
        "credentials": {"api_key": secret_text(api_key)} if api_key else None if endpoint else {},
        "embedding": _embedding(embedding, dimensions),
        "retrieval": _given(retrieval),
        "chunking": _given({"max_chars": chunk_chars, "overlap_chars": overlap_chars}),
        "metadata_fields": list(fields),
    }
    save(connect(), "datasets", _given(wanted), replace=replace, as_json=as_json)


@dataset.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List datasets."""
    found = connect().get("datasets")["data"]
    if as_json:
        show_json(found)
        return
    rows = ([one["name"], one["kind"], _model(one), one["endpoint"], one["description"]] for one in found)
    show_table(("name", "kind", "embedding", "endpoint", "description"), rows)


@dataset.command("show")
@click.argument("name")
@json_option
def show_one(name: str, as_json: bool) -> None:
    """Show a dataset, and the documents of an index."""
    client = connect()
    shown = client.get("datasets", name)
    documents = client.get("datasets", name, "documents")["data"] if shown["kind"] == "index" else None
    if as_json:
        show_json(shown if documents is None else {**shown, "documents": documents})
        return
    show_fields(shown)
    if documents:
        click.echo()
        columns = ("id", "status", "chunk_count", "name", "error")
        show_table(columns, ([one[column] for column in columns] for one in documents))


@dataset.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Delete a dataset and its documents: nodes that name it fail from now on, and say so."""
    connect().delete("datasets", name)
    click.echo(f"deleted {name}")


@dataset.command("add")
@click.argument("name")
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--metadata", type=Pair(), multiple=True, metavar="KEY=VALUE", help="Of all of them; repeatable."
)
@click.option("--wait/--no-wait", default=True, help="Until they can be found.  [default: wait]")
@click.option("--timeout", type=click.FloatRange(min=0), default=300.0, show_default=True, metavar="SECONDS")
@json_option
def add(
    name: str,
    files: Sequence[Path],
    metadata: Sequence[tuple[str, str]],
    wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Add documents to an index. One of the same name is replaced."""
    client = connect()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        sending = progress.add_task("uploading", total=len(files))
        queued = []
        for path in files:
            queued.append(_add(client, name, path, dict(metadata)))
            progress.advance(sending)
        indexing = progress.add_task("indexing", total=len(files) if wait else 0)
        done = []
        for one in queued:
            done.append(_settled(client, name, one, timeout) if wait else one)
            progress.advance(indexing)
    if as_json:
        show_json(done)
    else:
        columns = ("id", "status", "chunk_count", "name", "error")
        show_table(columns, ([one.get(column) for column in columns] for one in done))
    failed = [one for one in done if one["status"] == "FAILED"]
    if failed:
        raise CommandFailed(f"{len(failed)} of {len(done)} documents cannot be indexed")


@dataset.command("remove")
@click.argument("name")
@click.argument("document_id", metavar="ID")
def remove(name: str, document_id: str) -> None:
    """Delete a document of an index."""
    connect().delete("datasets", name, "documents", document_id)
    click.echo(f"deleted {document_id}")


@dataset.command("search")
@click.argument("name")
@click.argument("query")
@click.option("--method", type=click.Choice(_METHODS), help="Instead of what the dataset says.")
@click.option("--top-k", type=click.IntRange(1, 100), help="Likewise.")
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Likewise.")
@json_option
def search(
    name: str,
    query: str,
    method: str | None,
    top_k: int | None,
    score_threshold: float | None,
    as_json: bool,
) -> None:
    """Show what a knowledge-retrieval node would find in an index."""
    body = {"query": query, "search_method": method, "top_k": top_k, "score_threshold": score_threshold}
    found = connect().post("datasets", name, "search", body=_given(body))["records"]
    if as_json:
        show_json(found)
        return
    rows = ([f"{one['score']:.3f}", one["title"], _short(one["content"])] for one in found)
    show_table(("score", "document", "content"), rows)


def _add(client: Client, name: str, path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        uploaded = client.upload_file(path)
    except OSError as unreadable:
        raise CommandFailed(f"cannot read {path}: {unreadable.strerror}") from unreadable
    body = {"file_id": uploaded["id"], "metadata": dict(metadata)}
    queued: dict[str, Any] = client.post("datasets", name, "documents", body=body)
    return queued


def _settled(client: Client, name: str, queued: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """The document once this version of it is COMPLETED or FAILED. Raises `CommandFailed` after a time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            found: dict[str, Any] = client.get("datasets", name, "documents", queued["id"])
            if found["version"] >= queued["version"] and found["status"] != "QUEUED":
                return found
        except Refused as refused:
            if refused.status != _NOT_FOUND:
                raise
        time.sleep(_POLL_S)
    raise CommandFailed(f"{queued['name']} has not been indexed within {timeout_s:g} s")


def _embedding(named: str | None, dimensions: int | None) -> dict[str, Any] | None:
    if named is None:
        return None
    provider, colon, model = named.partition(":")
    if not provider or not colon or not model:
        raise click.UsageError(f"--embedding {named!r} is not like PROVIDER:MODEL")
    return _given({"provider": provider, "model": model, "dimensions": dimensions})


def _model(one: Mapping[str, Any]) -> str:
    embedding = one["embedding"]
    return f"{embedding['provider']}:{embedding['model']}" if embedding else ""


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"
