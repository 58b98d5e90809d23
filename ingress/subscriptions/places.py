"""Where this deployment is reached by, for providers and browsers."""

from ingress.express.request import EventRequest
from ingress.keys import SETTINGS


def base_url(request: EventRequest) -> str:
    """HOPLINE_PUBLIC_URL, else as the caller did."""
    return (request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}").rstrip("/")
