"""Bearer tokens of the control plane."""

import hashlib

from schemas.models.entity import Entity


class ApiKey(Entity):
    """A bearer token of the control plane. Only its hash is kept."""

    name: str
    sha256: str
    revoked: bool = False

    @staticmethod
    def digest(token: str) -> str:
        """What is stored of a token. Tokens have 192 bits of entropy, so a plain hash is enough."""
        return hashlib.sha256(token.encode()).hexdigest()
