"""What tells a server its secrets: another server is told only what is given anew."""

from collections.abc import Iterable, Mapping
from typing import Any

from ingress.errors import Unprocessable
from ingress.sealing import MASK
from schemas.paths import lookup
from schemas.triggers.secrets import with_secrets


def hold_secrets(
    config: Mapping[str, Any], stored: Mapping[str, Any], sealed: Iterable[str], told: Iterable[str]
) -> None:
    """`told`: dotted paths that say who is told what is at the paths `sealed`.

    Raises `Unprocessable` where one has changed and a mask stands for a stored secret: whoever may change a
    trigger does not learn its password by sending it to a server of his.
    """
    moved = [path for path in told if lookup(config, path) != lookup(stored, path)]
    if not stored or not moved:
        return
    masked: list[str] = []

    def note(place: str, secret: str, _: Any) -> str:
        if secret == MASK:
            masked.append(place)
        return secret

    with_secrets(dict(config), {}, sealed, note)
    if masked:
        raise kept_from(", ".join(moved), (f"config.{place}" for place in masked))


def kept_from(moved: str, places: Iterable[str]) -> Unprocessable:
    """What to raise for stored secrets at `places` of the body, since `moved` has changed."""
    why = f"must be given again: {moved} has changed"
    rows = [{"node": None, "field": place, "why": why} for place in places]
    return Unprocessable("a stored secret goes to no other server than it was given for", errors=rows)
