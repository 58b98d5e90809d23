"""Whose turn it is to use the refresh token of a source, and the one that is used by now.

A row of the table `sources` beside the position. Pure: `REFRESH` and `TOKEN` are decided by what was kept
before and by nothing else, so that whoever decides them comes to the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from schemas.ids import canonical_json
from schemas.triggers.credentials import OAuthRefresh
from streams.sources.rows import decode_row, encode_row, prefix_of

LEASE_S = 120.0
"""Longer than an attempt takes, with clocks that differ by less than a minute."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """Of one source."""

    configured: str
    """`fingerprint` of what its trigger is configured with: what follows from another grant is of no use."""
    sealed: str
    """The refresh token, encrypted; "" for the configured one."""
    attempt: str
    """Whose turn it is, or was last."""
    until_s: float
    """Unix time by which that attempt has ended; 0 when it is known to have."""
    triggers_offset: int
    """See `SourceRow`."""

    def encode(self) -> bytes:
        """It waits for nothing."""
        body = {name: getattr(self, name) for name in self.__slots__}
        # Whoever lists a calendar clears the rows beside its position that have not been fired.
        return encode_row(None, {**body, "fired": True})

    @classmethod
    def decode(cls, row: bytes) -> "TokenRow":
        """The inverse of `encode`."""
        body = decode_row(row)
        return cls(**{name: body[name] for name in cls.__slots__})


def key_of(source_id: str) -> str:
    """Of the row."""
    return prefix_of(source_id) + "oauth"


def fingerprint(oauth: OAuthRefresh) -> str:
    """Of the grant, whatever the secret of its client is."""
    return sha256(canonical_json([oauth.token_url, oauth.client_id, oauth.refresh_token])).hexdigest()


def asked(before: TokenRow | None, payload: Mapping[str, Any], at_s: float) -> TokenRow | None:
    """The row with the turn of a `REFRESH` of that time; None where it is not given one: another attempt is
    under way, or its sender knows an older configuration."""
    turn = {name: payload[name] for name in ("configured", "attempt", "triggers_offset")}
    turn["until_s"] = at_s + LEASE_S
    if before is None:
        return TokenRow(sealed="", **turn)
    if before.configured != payload["configured"]:
        is_older = payload["triggers_offset"] < before.triggers_offset
        return None if is_older else TokenRow(sealed="", **turn)
    return replace(before, **turn) if before.until_s <= at_s else None


def told(before: TokenRow, payload: Mapping[str, Any]) -> TokenRow:
    """The row after a `TOKEN`. A token takes the place of the one that it was given for, however late."""
    if before.configured != payload["configured"]:
        return before
    follows = payload["sealed"] and payload["before"] == before.sealed
    return replace(
        before,
        sealed=payload["sealed"] if follows else before.sealed,
        until_s=0.0 if payload["attempt"] == before.attempt else before.until_s,
    )
