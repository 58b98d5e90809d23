"""Reads a document as a whole: its version, its servers, its operations; collects every problem."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from schemas.errors import InvalidDefinition, Problem
from schemas.openapi.operation import HttpTool
from schemas.openapi.parts import Reader
from schemas.openapi.references import References, Unresolvable
from schemas.openapi.swagger import as_openapi

Json = Mapping[str, Any]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_VARIABLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Api:
    """What a document describes."""

    title: str
    tools: Mapping[str, HttpTool]
    """By name, in the order of the document."""


def read_api(document: Json, server_url: str | None = None) -> Api:
    """`server_url` takes the place of the servers that the document names.

    Raises `InvalidDefinition` with everything that keeps an operation from being called.
    """
    problems: list[Problem] = []
    if "swagger" in document:
        document = as_openapi(document)
    if not re.match(r"3\.[01](\.|$)", str(document.get("openapi", ""))):
        what = document.get("openapi", "none")
        raise _refused("openapi", f"is {what}; 3.0, 3.1 and Swagger 2.0 are read")
    paths = document.get("paths")
    if not isinstance(paths, Mapping) or not paths:
        raise _refused("paths", "there are none, so there is nothing to call")
    reader = Reader(References(document), problems)
    tools = list(_tools(document, paths, reader, server_url))
    if not tools and not problems:
        problems.append(Problem(None, "paths", "have no operations"))
    for name, count in Counter(tool.name for tool in tools).items():
        if count > 1:
            problems.append(Problem(None, "paths", f"{count} operations have the operationId {name!r}"))
    if problems:
        raise InvalidDefinition(problems)
    info = document.get("info")
    title = str(info.get("title") or "") if isinstance(info, Mapping) else ""
    return Api(title, {tool.name: tool for tool in tools})


def _tools(document: Json, paths: Json, reader: Reader, server_url: str | None) -> Iterator[HttpTool]:
    servers = None if server_url else _server(document.get("servers"))
    for path, item in paths.items():
        where = f"paths.{path}"
        try:
            item = reader.references.resolve(item)
        except Unresolvable as wrong:
            reader.report(where, str(wrong))
            continue
        if not isinstance(item, Mapping) or not str(path).startswith("/"):
            reader.report(where, "must begin with a slash, and be an object of operations")
            continue
        for method in _METHODS:
            if isinstance(operation := item.get(method), Mapping):
                server = server_url or _server(operation.get("servers")) or _server(item.get("servers"))
                place = f"{where}.{method}"
                server = _checked_server(server or servers, place, reader)
                yield _tool(operation, item, path=path, method=method, server=server, reader=reader)


def _tool(operation: Json, item: Json, *, path: str, method: str, server: str, reader: Reader) -> HttpTool:
    where = f"paths.{path}.{method}"
    parameters = reader.parameters(item, operation, where)
    declared = {parameter.name for parameter in parameters if parameter.place == "path"}
    for name in _VARIABLE.findall(path):
        if name not in declared:
            reader.report(where, f"the path has {{{name}}}, and no parameter in path is called so")
    texts = (str(operation.get(key) or item.get(key) or "") for key in ("summary", "description"))
    return HttpTool(
        name=str(operation.get("operationId") or _derived_name(path, method)),
        method=method.upper(),
        path=path,
        server=server,
        description="\n".join(dict.fromkeys(text for text in texts if text)),
        parameters=parameters,
        body=reader.body(operation.get("requestBody"), f"{where}.requestBody"),
    )


def _derived_name(path: str, method: str) -> str:
    """As Dify calls an operation without an operationId, so that its exports find it."""
    return f"{re.sub(r'[^a-zA-Z0-9_-]', '', path.removeprefix('/'))}_{method}"


def _server(servers: Any) -> str | None:
    """The first one, its variables at their defaults."""
    if not isinstance(servers, list) or not servers or not isinstance(servers[0], Mapping):
        return None
    variables = servers[0].get("variables")
    url = str(servers[0].get("url") or "")
    for name in _VARIABLE.findall(url):
        variable = variables.get(name) if isinstance(variables, Mapping) else None
        if isinstance(variable, Mapping) and "default" in variable:
            url = url.replace(f"{{{name}}}", str(variable["default"]))
    return url or None


def _checked_server(url: str | None, where: str, reader: Reader) -> str:
    try:
        parts = urlsplit(url or "")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "{" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        # One line for the document, not one for each operation.
        said = "names no server" if not url else f"has the server {url!r}, which is no absolute http URL"
        reader.report_once("servers", f"the document {said}; give server_url")
    return (url or "").rstrip("/")


def _refused(field: str, why: str) -> InvalidDefinition:
    return InvalidDefinition([Problem(None, field, why)])
