"""Where this deployment is reached by, for providers and browsers."""

from aiohttp import web

from ingress.keys import SETTINGS


def base_url(request: web.Request) -> str:
    """HOPLINE_PUBLIC_URL, else as the caller did."""
    return (request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}").rstrip("/")
