"""What every configured thing has."""

from datetime import UTC, datetime

import orjson
from pydantic import BaseModel, ConfigDict, Field

from schemas.ids import entity_id

DEFAULT_TENANT = entity_id("tenant", "default")
"""The workspace of a deployment that has only one."""

TENANT_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._:@-]{0,199}$"
"""What a tenant may be called: as a domain is, or an address. It is part of the keys of objects."""


def utc_now() -> datetime:
    """Aware, in UTC."""
    return datetime.now(UTC)


class Entity(BaseModel):
    """What every configured thing has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    tenant_id: str = DEFAULT_TENANT
    created_by: str | None = None
    created_at: datetime = Field(default_factory=utc_now)
    updated_by: str | None = None
    updated_at: datetime = Field(default_factory=utc_now)

    @property
    def key(self) -> str:
        """The message key in the compacted topic."""
        return self.id

    def body(self) -> bytes:
        """What its record says: JSON, without what is computed of it."""
        return orjson.dumps(self.model_dump(mode="json", exclude={"graph_hash"}))
