"""The producer's side of webhook signatures: secrets and signed headers. Pure but for chance."""

import base64
import hmac
import secrets

from schemas.triggers.signature import SCHEMES, Scheme, SignatureConfig

__all__ = ["SCHEMES", "Scheme", "new_secret", "signed_headers"]

_SECRET_BYTES = 32
_PREFIX = "whsec_"


def new_secret(scheme: Scheme) -> str:
    """256 bits, as the scheme writes secrets."""
    if scheme in ("standard-webhooks", "svix"):
        return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    drawn = secrets.token_hex(_SECRET_BYTES)
    return {"basic": f"hopline:{drawn}", "stripe": _PREFIX + drawn}.get(scheme, drawn)


def signed_headers(
    config: SignatureConfig, secret: str, body: bytes, *, delivery_id: str, at_s: float
) -> dict[str, str]:
    """What a producer adds to a request: the id of the delivery, and the proof that it knows the secret.

    The sources are those of `schemas.triggers.signatures`.
    """
    timestamp = str(int(at_s))
    own = {"Idempotency-Key": delivery_id}
    match config.scheme:
        case "github":
            return {"X-GitHub-Delivery": delivery_id, "X-Hub-Signature-256": f"sha256={_hex(secret, body)}"}
        case "slack":
            signature = f"v0={_hex(secret, f'v0:{timestamp}:'.encode() + body)}"
            return {**own, "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}
        case "stripe":
            signature = _hex(secret, f"{timestamp}.".encode() + body)
            return {**own, "Stripe-Signature": f"t={timestamp},v1={signature}"}
        case "standard-webhooks":
            return _standard("webhook", secret, body, delivery_id, timestamp)
        case "svix":
            return _standard("svix", secret, body, delivery_id, timestamp)
        case "hmac":
            return {**own, **_own_scheme(config, secret, body, timestamp)}
        case "basic":
            return {**own, "Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
        case "bearer":
            return {**own, **({config.header: secret} if config.header else _bearer(secret))}


def _hex(secret: str, signed: bytes) -> str:
    return hmac.digest(secret.encode(), signed, "sha256").hex()


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _standard(family: str, secret: str, body: bytes, delivery_id: str, timestamp: str) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    digest = hmac.digest(key, f"{delivery_id}.{timestamp}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    values = {"id": delivery_id, "timestamp": timestamp, "signature": signature}
    return {f"{family}-{name}": value for name, value in values.items()}


def _own_scheme(config: SignatureConfig, secret: str, body: bytes, timestamp: str) -> dict[str, str]:
    before, _, after = config.signed_text.replace("{timestamp}", timestamp).partition("{body}")
    digest = hmac.digest(
        secret.encode(), before.encode() + body + after.encode(), config.algorithm or "sha256"
    )
    written = base64.b64encode(digest).decode() if config.encoding == "base64" else digest.hex()
    signed = {config.header or "": f"{config.prefix or ''}{written}"}
    return {**signed, config.timestamp_header: timestamp} if config.timestamp_header else signed
