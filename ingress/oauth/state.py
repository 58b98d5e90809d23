"""What comes back with a user from an authorization server: encrypted, so that nobody reads or makes one, and
whole, so that any process can go on. Pure."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.secrets import SecretBox, SecretUnreadable

LIFETIME_S = 600
"""For a user to log in and agree."""

_PURPOSE = "oauth-state/v1"


class AuthorizationState(BaseModel):
    """One authorization that is under way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purpose: str = _PURPOSE
    tenant_id: str
    caller: str
    """Who has asked for it."""
    subscription_id: str
    credentials_id: str
    """Of the subscription when it was asked for: once it has others, this authorization has been used."""
    provider_id: str
    client_id: str
    """Id of the OAuth client that the user is sent to authorize."""
    redirect_uri: str
    verifier: str = Field(repr=False)
    """PKCE: only who knows it can use the code."""
    until_s: float

    def sealed(self, box: SecretBox) -> str:
        """As it travels."""
        return f"{self.tenant_id}.{box.encrypt(self.tenant_id, self.model_dump_json())}"


def opened_state(text: str, box: SecretBox, now_s: float) -> AuthorizationState | None:
    """None for one that was never made here, or is too old."""
    tenant_id, _, sealed = text.partition(".")
    try:
        state = AuthorizationState.model_validate_json(box.decrypt(tenant_id, sealed))
    except (SecretUnreadable, ValidationError):
        return None
    good = state.purpose == _PURPOSE and state.tenant_id == tenant_id and now_s < state.until_s
    return state if good else None
