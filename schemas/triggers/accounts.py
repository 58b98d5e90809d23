"""Connections to providers as a delivery is held against them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.triggers.delivery import Delivery, NotBelieved
from schemas.triggers.signatures import Verifier


@dataclass(frozen=True, slots=True)
class Account:
    """A connection of a tenant, with its secrets in the clear: in memory only."""

    tenant_id: str
    name: str
    """Of the connection, within its tenant."""
    verifier: Verifier
    place: str = ""
    """The only workspace or the like whose events are the tenant's; "": all of what the secret proves."""


def proven(delivery: Delivery, accounts: Iterable[Account]) -> list[Account]:
    """Those whose secrets prove the delivery. Raises `NotBelieved` where there is none."""
    found, refused = [], NotBelieved("no connection of this deployment is to the app that has sent this")
    for account in accounts:
        try:
            account.verifier.verify(delivery.headers, delivery.body, delivery.received_s)
        except NotBelieved as wrong:
            refused = wrong
        else:
            found.append(account)
    if not found:
        raise refused
    return found


def one_of_each_tenant(accounts: Iterable[Account], place: str) -> list[Account]:
    """The tenants whose events those of `place` are, each with the first connection that says so."""
    chosen: dict[str, Account] = {}
    for account in accounts:
        if account.place in ("", place):
            chosen.setdefault(account.tenant_id, account)
    return list(chosen.values())
