"""What a user sees who comes back from a provider: a page of one sentence, good or bad."""

import base64
from hashlib import sha256
from html import escape

from aiohttp import web

_STYLE = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto 0;padding:0 1.25rem}"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} · Hopline</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>{style}</style></head>
<body><h1>{title}</h1><p>{sentence}</p></body></html>
"""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'sha256-"
    f"{base64.b64encode(sha256(_STYLE.encode()).digest()).decode()}'",
    "Referrer-Policy": "no-referrer",
}


def page(title: str, sentence: str, status: int = 200) -> web.Response:
    """For a browser. What it shows may come from anybody, and is no markup."""
    text = _PAGE.format(title=escape(title), sentence=escape(sentence), style=_STYLE)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)


def is_for_people(request: web.Request) -> bool:
    """Whether it was asked for by a browser, and not by a program."""
    return "text/html" in request.headers.get("Accept", "")
