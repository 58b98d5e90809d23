"""What sources that Hopline watches by itself are opened with."""

from pydantic import BaseModel, ConfigDict, Field


class OAuthRefresh(BaseModel):
    """An OAuth 2.0 client that holds a refresh token (RFC 6749, section 6). Secrets are encrypted wherever it
    is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_url: str = Field(default="https://oauth2.googleapis.com/token", pattern=r"^https?://")
    client_id: str = Field(min_length=1)
    client_secret: str = ""
    refresh_token: str = Field(min_length=1)
