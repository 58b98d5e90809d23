"""Bearer tokens of the control plane."""

import hashlib
from typing import Final, Literal

from schemas.models.entity import Entity

Permission = Literal["read", "run", "admin"]
"""`read` shows, `run` starts, answers and stops runs, `admin` changes what is configured."""

PERMISSIONS: Final[tuple[Permission, ...]] = ("read", "run", "admin")


class ApiKey(Entity):
    """A bearer token of the control plane. Only its hash is kept."""

    name: str
    sha256: str
    revoked: bool = False
    permissions: tuple[Permission, ...] = PERMISSIONS

    @staticmethod
    def digest(token: str) -> str:
        """What is stored of a token. Tokens have 192 bits of entropy, so a plain hash is enough."""
        return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
