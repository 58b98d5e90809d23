"""The producer's side of webhook signatures: secrets and signed headers. Pure but for chance."""

import base64
import hmac
import secrets
from typing import Literal, get_args

Scheme = Literal["github", "standard-webhooks"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

_SECRET_BYTES = 32
_PREFIX = "whsec_"


def new_secret(scheme: Scheme) -> str:
    """256 bits, as the scheme writes secrets."""
    if scheme == "github":
        return secrets.token_hex(_SECRET_BYTES)
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(
    scheme: Scheme, secret: str, body: bytes, *, delivery_id: str, at_s: float
) -> dict[str, str]:
    """What a producer adds to a request: the id of the delivery, and the proof that it knows the secret.

    GitHub: "Validating webhook deliveries". Standard Webhooks: specification 1.0.0, symmetric signatures.
    """
    if scheme == "github":
        digest = hmac.digest(secret.encode(), body, "sha256").hex()
        return {"X-GitHub-Delivery": delivery_id, "X-Hub-Signature-256": f"sha256={digest}"}
    timestamp = str(int(at_s))
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    digest_bytes = hmac.digest(key, f"{delivery_id}.{timestamp}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(digest_bytes).decode()}"
    return {"webhook-id": delivery_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
