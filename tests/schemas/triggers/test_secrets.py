"""Secrets in the config of a trigger."""

import pytest

from schemas.secrets import SecretBox, SecretUnreadable
from schemas.triggers.secrets import opened_config

BOX = SecretBox(b"k" * 32)
TENANT = "028740fd-be7b-5fbc-a0be-aa27d94e2693"
PATHS = ("password", "oauth.refresh_token")


def test_secrets_are_opened_wherever_they_are() -> None:
    sealed = {
        "host": "mail",
        "password": BOX.encrypt(TENANT, "hush"),
        "oauth": {"refresh_token": BOX.encrypt(TENANT, "again"), "client_id": "me"},
    }
    opened = opened_config(sealed, PATHS, BOX, TENANT)
    assert opened == {
        "host": "mail",
        "password": "hush",
        "oauth": {"refresh_token": "again", "client_id": "me"},
    }


def test_without_a_key_no_secret_is_taken_as_it_is_stored() -> None:
    sealed = {"host": "mail", "password": BOX.encrypt(TENANT, "hush")}
    with pytest.raises(SecretUnreadable, match="HOPLINE_SECRET_KEY is not set"):
        opened_config(sealed, PATHS, None, TENANT)


def test_without_a_key_a_config_without_secrets_is_as_it_is() -> None:
    assert opened_config({"host": "mail", "password": None}, PATHS, None, TENANT) == {
        "host": "mail",
        "password": None,
    }
