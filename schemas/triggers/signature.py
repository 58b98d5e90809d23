"""How a producer signs its requests: the configuration. `signatures` verifies."""

import re
from typing import Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Scheme = Literal["github", "slack", "stripe", "standard-webhooks", "svix", "hmac", "basic", "bearer"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
Algorithm = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header: RFC 9110, section 5.6.2."""
_HMAC_ONLY: Final = ("algorithm", "encoding", "prefix", "timestamp_header", "signed")


class SignatureConfig(BaseModel):
    """How a producer signs its requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: Scheme
    secrets: tuple[str, ...] = Field(min_length=1)
    """Any of them is accepted, so that a secret can be rotated. Encrypted wherever it is stored."""
    tolerance_s: int = Field(default=300, ge=1)
    """How far a signed timestamp may be from now, for the schemes that sign one."""
    header: str | None = Field(default=None, max_length=100)
    """`hmac`: where the signature is. `bearer`: what has the secret alone, instead of Authorization."""
    algorithm: Algorithm | None = None
    """`hmac`, like all that follow; None is sha256."""
    encoding: Encoding | None = None
    """None is hex."""
    prefix: str | None = Field(default=None, max_length=100)
    """What stands before the signature in its header, such as `sha256=`."""
    timestamp_header: str | None = Field(default=None, max_length=100)
    """Where the signed time is, in seconds or milliseconds since the epoch. None: no time is signed."""
    signed: str | None = Field(default=None, max_length=200)
    """The text that is signed, of `{body}` and `{timestamp}`. None: `{timestamp}.{body}` where there is a
    timestamp, else `{body}`."""

    @property
    def signed_text(self) -> str:
        """`signed`, or what stands for it."""
        return self.signed or ("{timestamp}.{body}" if self.timestamp_header else "{body}")

    @property
    def secret_header(self) -> str | None:
        """A header of the producer's own that proves who has sent the request, in lower case."""
        return self.header.lower() if self.header else None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.scheme != "hmac" and (given := [n for n in _HMAC_ONLY if getattr(self, n) is not None]):
            raise ValueError(f"{', '.join(given)}: only the scheme hmac has these")
        if self.header is not None and self.scheme not in ("hmac", "bearer"):
            raise ValueError("header: only the schemes hmac and bearer have one of their own")
        if self.scheme == "hmac" and not self.header:
            raise ValueError("header: the scheme hmac needs the name of the header with the signature")
        for name in (self.header, self.timestamp_header):
            if name is not None and not _TOKEN.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header")
        if self.signed_text.count("{body}") != 1:
            raise ValueError("signed: has {body} once")
        if ("{timestamp}" in self.signed_text) is not (self.timestamp_header is not None):
            raise ValueError("signed: has {timestamp} exactly where there is a timestamp_header")
        return self
