"""Tokens by which a worker acts for a tenant."""

import pytest

from schemas.secrets import SecretBox
from transport.service_token import issue, tenant_of

BOX = SecretBox(b"k" * 32)


@pytest.mark.parametrize("tenant_id", ["default", "acme.com", "ops@eu.acme.com", "a:b", "."])
def test_a_token_says_for_whom_it_is(tenant_id: str) -> None:
    token = issue(BOX, tenant_id, 1000)
    assert tenant_of(BOX, token, 1299) == tenant_id
    assert tenant_of(BOX, token, 1300) is None


def test_a_token_is_for_nobody_else() -> None:
    _, _, sealed = issue(BOX, "acme.com", 0).rpartition(".")
    for forged in ("hopline-service.com", "hopline-service.acme", "acme.com", "hopline-service"):
        assert tenant_of(BOX, f"{forged}.{sealed}", 0) is None
    assert tenant_of(SecretBox(b"x" * 32), issue(BOX, "acme.com", 0), 0) is None
