"""From an operation and its arguments to a request. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from yarl import URL

from schemas.models.tool_provider import ToolAuth
from schemas.openapi import HttpTool
from schemas.openapi.operation import WHOLE_BODY
from streams.executors.tools.errors import ToolParameterError
from streams.executors.tools.http_values import Pairs, header_text, path_text, plain, query_pairs

Json = Mapping[str, Any]

_OF_URLS = ":/?#[]@!$&'()*+,;=%"
"""What stays in a path as a document has it: RFC 3986, section 2.2, and what is encoded already."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a provider's credentials add to a request."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Pairs = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """Everything but the body, which may need files."""

    method: str
    url: URL
    headers: Mapping[str, str]
    secret_headers: frozenset[str]
    """In small letters: not sent on to another origin."""


def credentials_of(auth: ToolAuth, opened: Mapping[str, str]) -> Credentials:
    """`opened`: the provider's credentials in the clear; creation has seen to it that they are there."""
    match auth.type:
        case "bearer":
            return Credentials({"Authorization": f"Bearer {opened['token']}"})
        case "basic":
            pair = f"{opened['username']}:{opened['password']}"
            return Credentials({"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})
        case "api_key":
            key = f"{auth.prefix} {opened['api_key']}" if auth.prefix else opened["api_key"]
            if auth.location == "query":
                return Credentials(query=[(auth.name, key)])
            return Credentials({auth.name: key})
        case _:
            return Credentials()


def build_request(
    tool: HttpTool, arguments: Json, credentials: Credentials, headers: Mapping[str, str]
) -> ToolRequest:
    """`headers` are the provider's; the tool's own parameters win over them, credentials over both.

    Raises `ToolParameterError`.
    """
    path, query, sent, cookies = tool.path, list[tuple[str, str]](), dict(headers), list[str]()
    for parameter in tool.parameters:
        if parameter.name not in arguments:
            continue
        value = arguments[parameter.name]
        match parameter.place:
            case "path":
                path = path.replace(f"{{{parameter.name}}}", path_text(parameter, value))
            case "query":
                query += query_pairs(parameter, value)
            case "header":
                sent[parameter.name] = header_text(parameter, value)
            case "cookie":
                cookies.append(f"{parameter.name}={quote(plain(value), safe='')}")
    if cookies:
        sent["Cookie"] = "; ".join(cookies)
    return ToolRequest(
        method=tool.method,
        url=_url(tool.server + quote(path, safe=_OF_URLS), [*query, *credentials.query]),
        headers={**sent, **credentials.headers},
        secret_headers=frozenset(name.lower() for name in (*credentials.headers, *headers, "cookie")),
    )


def body_fields(tool: HttpTool, arguments: Json) -> Any:
    """What the body is made of: its members by name, the whole of it, or None for nothing to send."""
    body = tool.body
    if body is None:
        return None
    if not body.properties:
        return arguments.get(WHOLE_BODY)
    members = {name: arguments[name] for name in body.properties if name in arguments}
    return members if members or body.required else None


def form_pairs(fields: Json) -> Pairs:
    """A list is its name repeated; an object is JSON."""
    return [
        (name, plain(one))
        for name, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def _url(text: str, query: Pairs) -> URL:
    place, _, own = text.partition("#")[0].partition("?")
    joined = "&".join(filter(None, (own, urlencode(query, quote_via=quote))))
    try:
        return URL(place + (f"?{joined}" if joined else ""), encoded=True)
    except ValueError as wrong:
        raise ToolParameterError(f"{text!r} is no URL: {wrong}") from wrong
