"""The filters of an email trigger, and what its config refuses."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.triggers.email import EmailConfig

SERVER = {"host": "mail.example.com", "username": "support", "password": "secret"}


def event(**body: Any) -> dict[str, Any]:
    person = {"name": "Ann", "address": "ann@example.org"}
    return {"body": {"from": person, "to": [], "cc": [], "subject": "Order 17", "text": "Two teas", **body}}


@pytest.mark.parametrize(
    ("filters", "refused_by"),
    [
        ({}, None),
        ({"email_filter": "ANN@example.org"}, None),
        ({"email_filter": "support@example.com"}, "email_filter"),
        ({"sender": "Ann <ann"}, None),
        ({"sender": "bob"}, "sender"),
        ({"subject": "order"}, None),
        ({"subject": {"regex": "^order"}}, "subject"),
        ({"subject": {"regex": r"(?i)^order \d+$"}}, None),
        ({"content": {"regex": "tea|coffee"}}, None),
        ({"content": "cake", "subject": "order"}, "content"),
    ],
)
def test_a_message_must_pass_all_filters(filters: dict[str, Any], refused_by: str | None) -> None:
    refusal = EmailConfig.model_validate({**SERVER, **filters}).refusal(event())
    assert refusal is None if refused_by is None else refused_by in (refusal or "")


def test_the_filter_of_addresses_looks_at_the_receivers_too() -> None:
    config = EmailConfig.model_validate({**SERVER, "email_filter": "support@"})
    assert config.refusal(event(cc=[{"name": "", "address": "support@example.com"}])) is None


def test_an_expression_takes_no_longer_for_being_wicked() -> None:
    config = EmailConfig.model_validate({**SERVER, "content": {"regex": "^(a+)+$"}})
    assert config.refusal(event(text="a" * 100_000 + "b")) is not None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"password": ""}, "give one of password and oauth"),
        ({"oauth": {"client_id": "c", "refresh_token": "r"}}, "give one of password and oauth"),
        ({"subject": {"regex": "(?=x)"}}, "no regular expression as RE2"),
        ({"check_interval": 0}, "check_interval"),
        ({"folder": "INBOX\r\nA1 DELETE INBOX"}, "folder"),
        ({"username": "u\n"}, "username"),
        ({"password": "p\r\nx"}, "password"),
        ({"host": "http://mail.example.com/"}, "host"),
        ({"oauth": {"client_id": "c", "refresh_token": "r", "token_url": "file:///x"}}, "token_url"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        EmailConfig.model_validate({**SERVER, **change})


def test_the_port_follows_from_the_security() -> None:
    ports = [
        EmailConfig.model_validate({**SERVER, **given}).server_port
        for given in ({}, {"security": "starttls"}, {"port": 1143})
    ]
    assert ports == [993, 143, 1143]
