"""What one role shows another to act for a tenant: made from the secret key that all roles share."""

import orjson

from schemas.secrets import SecretBox, SecretUnreadable

_PREFIX = "hopline-service"
_TTL_S = 300
_PURPOSE = "service-token/v1"


def issue(box: SecretBox, tenant_id: str, now_s: float) -> str:
    """A bearer token that is good for five minutes."""
    claims = orjson.dumps({"purpose": _PURPOSE, "until": now_s + _TTL_S}).decode()
    return f"{_PREFIX}.{tenant_id}.{box.encrypt(tenant_id, claims)}"


def tenant_of(box: SecretBox, token: str, now_s: float) -> str | None:
    """The tenant that it was issued for; None for a token that is no good, or none of these."""
    prefix, _, rest = token.partition(".")
    # A tenant may be called as a domain is; what is sealed has no dots.
    tenant_id, _, sealed = rest.rpartition(".")
    if prefix != _PREFIX:
        return None
    try:
        claims = orjson.loads(box.decrypt(tenant_id, sealed))
    except (SecretUnreadable, orjson.JSONDecodeError):
        return None
    good = isinstance(claims, dict) and claims.get("purpose") == _PURPOSE and now_s < claims["until"]
    return tenant_id if good else None
