"""Words of subscriptions that plugins use too."""

from enum import StrEnum
from typing import Final, Literal

NEVER: Final = -1
"""Of a time in seconds since the epoch: it does not come."""


class CredentialType(StrEnum):
    """What the provider knows the tenant by."""

    OAUTH = "oauth"
    API_KEY = "api_key"


ClientAuth = Literal["client_secret_basic", "client_secret_post", "none"]
"""How an OAuth client shows its secret at the token endpoint (RFC 7591, section 2)."""
