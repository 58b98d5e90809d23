"""A secret is readable for its tenant under its key, and for nobody else."""

import pytest

from schemas.secrets import SecretBox, SecretUnreadable

BOX = SecretBox(b"k" * 32)


def test_what_was_encrypted_comes_back() -> None:
    sealed = BOX.encrypt("tenant", "s3cret ✓")
    assert SecretBox.is_encrypted(sealed)
    assert "s3cret" not in sealed
    assert BOX.decrypt("tenant", sealed) == "s3cret ✓"


def test_the_same_secret_never_looks_the_same() -> None:
    assert BOX.encrypt("tenant", "x") != BOX.encrypt("tenant", "x")


@pytest.mark.parametrize("text", ["plain", "enc:v1:", "enc:v1:????", "enc:v1:" + "A" * 60])
def test_damage_is_noticed(text: str) -> None:
    with pytest.raises(SecretUnreadable):
        BOX.decrypt("tenant", text)


def test_another_tenant_or_another_key_cannot_read_it() -> None:
    sealed = BOX.encrypt("tenant", "x")
    with pytest.raises(SecretUnreadable):
        BOX.decrypt("other", sealed)
    with pytest.raises(SecretUnreadable):
        SecretBox(b"other key".ljust(32)).decrypt("tenant", sealed)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        SecretBox(b"short")
