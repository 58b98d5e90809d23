"""What we sign, the door and other people's libraries believe."""

import time
from typing import Any

import pytest
import stripe
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook
from svix.webhooks import WebhookVerificationError

from cli.signing import SCHEMES, Scheme, new_secret, signed_headers
from schemas.triggers.delivery import NotBelieved
from schemas.triggers.signature import SignatureConfig
from schemas.triggers.signatures import build_verifier

BODY = '{"ü": 1}'.encode()
SIGNING = [scheme for scheme in SCHEMES if scheme not in ("basic", "bearer")]
"""The schemes whose proof is over the body."""
OWN = {"header": "X-Signature", "timestamp_header": "X-Time", "prefix": "v1=", "encoding": "base64"}


def config(scheme: Scheme, secret: str, **options: Any) -> SignatureConfig:
    own = OWN if scheme == "hmac" else {}
    return SignatureConfig.model_validate({"scheme": scheme, "secrets": [secret], **own, **options})


def sign(scheme: Scheme, secret: str, body: bytes = BODY) -> dict[str, str]:
    return signed_headers(config(scheme, secret), secret, body, delivery_id="msg_1", at_s=time.time())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_verifies(scheme: Scheme) -> None:
    secret = new_secret(scheme)
    headers, verifier = sign(scheme, secret), build_verifier(config(scheme, secret), [secret])
    verifier.verify(headers, BODY, time.time())
    with pytest.raises(NotBelieved):
        build_verifier(config(scheme, secret), [new_secret(scheme)]).verify(headers, BODY, time.time())


@pytest.mark.parametrize("scheme", SIGNING)
def test_the_body_is_signed(scheme: Scheme) -> None:
    secret = new_secret(scheme)
    verifier = build_verifier(config(scheme, secret), [secret])
    with pytest.raises(NotBelieved):
        verifier.verify(sign(scheme, secret), BODY + b" ", time.time())


def test_a_bearer_token_in_a_header_of_its_own() -> None:
    secret, wanted = new_secret("bearer"), {"header": "X-Gitlab-Token"}
    signed = signed_headers(config("bearer", secret, **wanted), secret, BODY, delivery_id="d", at_s=0)
    assert signed == {"Idempotency-Key": "d", "X-Gitlab-Token": secret}


def test_the_libraries_of_the_vendors_take_it() -> None:
    secret = new_secret("standard-webhooks")
    assert Webhook(secret).verify(BODY, sign("standard-webhooks", secret)) == {"ü": 1}
    SvixWebhook(secret).verify(BODY, sign("svix", secret))
    with pytest.raises(WebhookVerificationError):
        SvixWebhook(secret).verify(BODY + b" ", sign("svix", secret))
    secret = new_secret("slack")
    assert SignatureVerifier(secret).is_valid_request(BODY, sign("slack", secret))
    secret, body = new_secret("stripe"), b'{"id": "evt_1", "object": "event"}'
    header = sign("stripe", secret, body)["Stripe-Signature"]
    assert stripe.Webhook.construct_event(body, header, secret).id == "evt_1"


def test_example_of_the_github_documentation() -> None:
    """docs.github.com, "Validating webhook deliveries": its test values."""
    headers = sign("github", "It's a Secret to Everybody", b"Hello, World!")
    expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert headers == {"X-GitHub-Delivery": "msg_1", "X-Hub-Signature-256": f"sha256={expected}"}
