"""Does the request come from who knows the secret? Pure: headers, bytes and the time in, a verdict out.

GitHub: "Validating webhook deliveries" (X-Hub-Signature-256). Standard Webhooks: specification 1.0.0,
"Symmetric signatures". A comparison takes the same time wherever the two differ.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.triggers.delivery import NotBelieved
from schemas.triggers.webhook import SignatureConfig

_GITHUB_HEADER = "X-Hub-Signature-256"
_WHSEC = "whsec_"
_V1 = "v1,"


class Verifier(Protocol):
    """One scheme with the secrets of one trigger."""

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """Raises `NotBelieved`. `headers` is looked up without regard to case; `body` as it was sent."""


@dataclass(frozen=True, slots=True)
class GitHubVerifier:
    """`X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body>`."""

    keys: tuple[bytes, ...]

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`."""
        scheme, _, given = headers.get(_GITHUB_HEADER, "").partition("=")
        if scheme != "sha256" or not given:
            raise NotBelieved(f"{_GITHUB_HEADER} is missing, or does not begin with sha256=")
        expected = (hmac.digest(key, body, "sha256").hex() for key in self.keys)
        if not _any_equal(given, expected):
            raise NotBelieved(f"{_GITHUB_HEADER} does not match the body under any secret of this trigger")


@dataclass(frozen=True, slots=True)
class StandardWebhooksVerifier:
    """`webhook-signature: v1,<base64 HMAC-SHA256 of id.timestamp.body>`, several of them space-separated."""

    keys: tuple[bytes, ...]
    tolerance_s: int

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`."""
        message_id = headers.get("webhook-id", "")
        timestamp = headers.get("webhook-timestamp", "")
        signatures = headers.get("webhook-signature", "")
        if not (message_id and timestamp and signatures):
            raise NotBelieved("webhook-id, webhook-timestamp and webhook-signature must all be there")
        self._check_age(timestamp, now_s)
        signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
        given = [s.removeprefix(_V1) for s in signatures.split() if s.startswith(_V1)]
        expected = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in self.keys]
        if not any(_any_equal(one, expected) for one in given):
            raise NotBelieved("no v1 signature in webhook-signature matches under any secret of this trigger")

    def _check_age(self, timestamp: str, now_s: float) -> None:
        if not (timestamp.isascii() and timestamp.isdigit()):
            raise NotBelieved("webhook-timestamp is not a number of seconds since the epoch")
        if abs(now_s - int(timestamp)) > self.tolerance_s:
            raise NotBelieved(
                f"webhook-timestamp is more than {self.tolerance_s} s away from now: "
                "too old, or one of the two clocks is wrong"
            )


def build_verifier(config: SignatureConfig, secrets: Sequence[str]) -> Verifier:
    """The verifier for `config` with its secrets decrypted. Raises `ValueError` for an unusable secret."""
    if config.scheme == "github":
        return GitHubVerifier(tuple(secret.encode() for secret in secrets))
    return StandardWebhooksVerifier(tuple(map(_standard_key, secrets)), config.tolerance_s)


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_WHSEC), validate=True)
    except binascii.Error as wrong:
        raise ValueError("a Standard Webhooks secret is whsec_ followed by base64") from wrong


def _any_equal(given: str, expected: Iterable[str]) -> bool:
    candidate = given.encode("utf-8", "surrogateescape")
    return any(hmac.compare_digest(candidate, one.encode()) for one in expected)
