"""Does the request come from who knows the secret? Pure: headers, bytes and the time in, a verdict out.

A comparison takes the same time wherever the two differ. Each scheme knows several secrets, so that one can
be rotated, and takes several signatures where its producer sends several. Sources: GitHub, "Validating
webhook deliveries"; Slack, "Verifying requests from Slack"; Stripe, "Verify webhook signatures manually";
Standard Webhooks 1.0.0, "Symmetric signatures", which Svix uses under names of its own; RFC 7617; RFC 6750.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Final, Protocol

from schemas.triggers.delivery import NotBelieved
from schemas.triggers.signature import Algorithm, Encoding, SignatureConfig

_WHSEC = "whsec_"
_V1 = "v1,"
_MAX_TIMESTAMP_DIGITS = 16
_MILLISECONDS_FROM = 100_000_000_000
"""As seconds this would be the year 5138: a larger number counts milliseconds."""


class Verifier(Protocol):
    """One scheme with the secrets of one trigger."""

    challenge: ClassVar[str]
    """`WWW-Authenticate` of the refusal."""

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """Raises `NotBelieved`. `headers` is looked up without regard to case; `body` as it was sent."""


@dataclass(frozen=True, slots=True)
class GitHubVerifier:
    """`X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body>`."""

    challenge: ClassVar[str] = "Signature"
    header: ClassVar[str] = "X-Hub-Signature-256"

    keys: tuple[bytes, ...]

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`."""
        scheme, _, given = headers.get(self.header, "").partition("=")
        if scheme != "sha256" or not given:
            raise NotBelieved(f"{self.header} is missing, or does not begin with sha256=")
        _check(self.header, [given], (hmac.digest(key, body, "sha256").hex() for key in self.keys))


@dataclass(frozen=True, slots=True)
class SlackVerifier:
    """`X-Slack-Signature: v0=<hex HMAC-SHA256 of v0:timestamp:body>`."""

    challenge: ClassVar[str] = "Signature"
    header: ClassVar[str] = "X-Slack-Signature"
    timestamp_header: ClassVar[str] = "X-Slack-Request-Timestamp"

    keys: tuple[bytes, ...]
    tolerance_s: int = 300

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`."""
        version, _, given = headers.get(self.header, "").partition("=")
        timestamp = headers.get(self.timestamp_header, "")
        if version != "v0" or not given:
            raise NotBelieved(f"{self.header} is missing, or does not begin with v0=")
        check_age(self.timestamp_header, timestamp, now_s, self.tolerance_s)
        signed = f"v0:{timestamp}:".encode() + body
        _check(self.header, [given], (hmac.digest(key, signed, "sha256").hex() for key in self.keys))


@dataclass(frozen=True, slots=True)
class StripeVerifier:
    """`Stripe-Signature: t=timestamp,v1=<hex HMAC-SHA256 of timestamp.body>`, several v1 while it rotates."""

    challenge: ClassVar[str] = "Signature"
    header: ClassVar[str] = "Stripe-Signature"

    keys: tuple[bytes, ...]
    """The whole secret, `whsec_` included."""
    tolerance_s: int = 300

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`."""
        parts = [part.strip().partition("=") for part in headers.get(self.header, "").split(",")]
        timestamp = next((value for name, _, value in parts if name == "t"), "")
        given = [value for name, _, value in parts if name == "v1"]
        if not (timestamp and given):
            raise NotBelieved(f"{self.header} is missing, or has no t= and v1=")
        check_age(f"t of {self.header}", timestamp, now_s, self.tolerance_s)
        signed = f"{timestamp}.".encode() + body
        _check(self.header, given, (hmac.digest(key, signed, "sha256").hex() for key in self.keys))


@dataclass(frozen=True, slots=True)
class StandardWebhooksVerifier:
    """`webhook-signature: v1,<base64 HMAC-SHA256 of id.timestamp.body>`, several of them space-separated."""

    challenge: ClassVar[str] = "Signature"

    keys: tuple[bytes, ...]
    tolerance_s: int
    family: str = "webhook"
    """What the names of its headers begin with. Those of the standard are taken as well."""

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`."""
        family = self.family if f"{self.family}-id" in headers else "webhook"
        message_id = headers.get(f"{family}-id", "")
        timestamp = headers.get(f"{family}-timestamp", "")
        signatures = headers.get(f"{family}-signature", "")
        if not (message_id and timestamp and signatures):
            own = self.family
            raise NotBelieved(f"{own}-id, {own}-timestamp and {own}-signature must all be there")
        check_age(f"{family}-timestamp", timestamp, now_s, self.tolerance_s)
        signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
        given = [s.removeprefix(_V1) for s in signatures.split() if s.startswith(_V1)]
        expected = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in self.keys]
        _check(f"{family}-signature", given, expected)


@dataclass(frozen=True, slots=True)
class HmacVerifier:
    """A scheme of a producer's own: the HMAC of the body, or of a text around it, in a header."""

    challenge: ClassVar[str] = "Signature"

    keys: tuple[bytes, ...]
    header: str
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    prefix: str = ""
    timestamp_header: str | None = None
    tolerance_s: int = 300
    before: str = ""
    """What is signed before the body and after it; `{timestamp}` stands for what is in its header."""
    after: str = ""

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`. Several signatures may be separated by commas or spaces."""
        listed = headers.get(self.header, "").replace(",", " ").split()
        given = [one.removeprefix(self.prefix) for one in listed if one.startswith(self.prefix)]
        if not given:
            begins = f", or does not begin with {self.prefix}" if self.prefix else ""
            raise NotBelieved(f"{self.header} is missing{begins}")
        if self.encoding == "hex":
            given = [one.lower() for one in given]
        signed = self._signed(headers, body, now_s)
        encode = _ENCODERS[self.encoding]
        _check(self.header, given, (encode(hmac.digest(key, signed, self.algorithm)) for key in self.keys))

    def _signed(self, headers: Mapping[str, str], body: bytes, now_s: float) -> bytes:
        timestamp = ""
        if self.timestamp_header is not None:
            timestamp = headers.get(self.timestamp_header, "")
            check_age(self.timestamp_header, timestamp, now_s, self.tolerance_s)
        before = self.before.replace("{timestamp}", timestamp)
        after = self.after.replace("{timestamp}", timestamp)
        return before.encode() + body + after.encode() if before or after else body


@dataclass(frozen=True, slots=True)
class BasicVerifier:
    """`Authorization: Basic <base64 of user:password>`."""

    challenge: ClassVar[str] = 'Basic realm="webhook", charset="UTF-8"'

    keys: tuple[bytes, ...]
    """`user:password`."""

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`."""
        given = _credentials(headers, "basic")
        try:
            pair = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError) as wrong:
            raise NotBelieved("Authorization does not hold the base64 of user:password") from wrong
        _check_token("Authorization", pair, self.keys)


@dataclass(frozen=True, slots=True)
class BearerVerifier:
    """`Authorization: Bearer <secret>`, or the secret alone in a header of the producer's own."""

    challenge: ClassVar[str] = 'Bearer realm="webhook"'

    keys: tuple[bytes, ...]
    header: str | None = None

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        """See `Verifier.verify`."""
        given = headers.get(self.header, "") if self.header else _credentials(headers, "bearer")
        if not given:
            raise NotBelieved(f"{self.header} is missing")
        _check_token(self.header or "Authorization", given.encode("utf-8", "surrogateescape"), self.keys)


def build_verifier(config: SignatureConfig, secrets: Sequence[str]) -> Verifier:
    """The verifier for `config` with its secrets decrypted. Raises `ValueError` for an unusable secret."""
    return _BUILDERS[config.scheme](config, secrets)


def check_age(name: str, timestamp: str, now_s: float, tolerance_s: float) -> None:
    """Of what was signed: seconds or milliseconds since the epoch, found in `name`. Raises `NotBelieved`."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS):
        raise NotBelieved(f"{name} is not a number of seconds since the epoch")
    at = int(timestamp)
    at_s = at / 1000 if at >= _MILLISECONDS_FROM else at
    if abs(now_s - at_s) > tolerance_s:
        raise NotBelieved(
            f"{name} is more than {tolerance_s:g} s away from now: too old, or one of the two clocks is wrong"
        )


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_WHSEC), validate=True)
    except binascii.Error as wrong:
        raise ValueError("a secret of this scheme is whsec_ followed by base64") from wrong


def _pair(secret: str) -> bytes:
    if ":" not in secret:
        raise ValueError("a secret of the scheme basic is user:password")
    return secret.encode()


def _texts(secrets: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(secret.encode() for secret in secrets)


def _hmac(config: SignatureConfig, secrets: Sequence[str]) -> HmacVerifier:
    before, _, after = config.signed_text.partition("{body}")
    return HmacVerifier(
        keys=_texts(secrets),
        header=config.header or "",
        algorithm=config.algorithm or "sha256",
        encoding=config.encoding or "hex",
        prefix=config.prefix or "",
        timestamp_header=config.timestamp_header,
        tolerance_s=config.tolerance_s,
        before=before,
        after=after,
    )


_BUILDERS: Final[Mapping[str, Callable[[SignatureConfig, Sequence[str]], Verifier]]] = {
    "github": lambda _, secrets: GitHubVerifier(_texts(secrets)),
    "slack": lambda config, secrets: SlackVerifier(_texts(secrets), config.tolerance_s),
    "stripe": lambda config, secrets: StripeVerifier(_texts(secrets), config.tolerance_s),
    "standard-webhooks": lambda config, secrets: StandardWebhooksVerifier(
        tuple(map(_standard_key, secrets)), config.tolerance_s
    ),
    "svix": lambda config, secrets: StandardWebhooksVerifier(
        tuple(map(_standard_key, secrets)), config.tolerance_s, "svix"
    ),
    "hmac": _hmac,
    "basic": lambda _, secrets: BasicVerifier(tuple(map(_pair, secrets))),
    "bearer": lambda config, secrets: BearerVerifier(_texts(secrets), config.header),
}

_ENCODERS: Final[Mapping[Encoding, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "base64": lambda digest: base64.b64encode(digest).decode(),
}


def _credentials(headers: Mapping[str, str], scheme: str) -> str:
    """RFC 9110, section 11.4: the word of the scheme in any case, then what it carries."""
    named, _, given = headers.get("Authorization", "").partition(" ")
    if named.lower() != scheme or not given:
        raise NotBelieved(f"Authorization is missing, or is not of the scheme {scheme.capitalize()}")
    return given.strip()


def _check(where: str, given: Iterable[str], expected: Iterable[str]) -> None:
    candidates = [one.encode("utf-8", "surrogateescape") for one in given]
    wanted = [one.encode() for one in expected]
    if not any(hmac.compare_digest(one, other) for one in candidates for other in wanted):
        raise NotBelieved(f"no signature in {where} matches the request under any secret that is known here")


def _check_token(where: str, given: bytes, keys: Iterable[bytes]) -> None:
    # Hashed first: comparing texts of different length would tell the length of the secret.
    hashed = sha256(given).digest()
    if not any(hmac.compare_digest(hashed, sha256(key).digest()) for key in keys):
        raise NotBelieved(f"{where} holds no secret that is known here")
