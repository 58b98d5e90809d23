"""What we sign, the door and other people's libraries believe."""

import time

import pytest
from standardwebhooks import Webhook

from cli.signing import SCHEMES, Scheme, new_secret, signed_headers
from schemas.triggers.delivery import NotBelieved
from schemas.triggers.signatures import build_verifier
from schemas.triggers.webhook import SignatureConfig

BODY = '{"ü": 1}'.encode()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_verifies(scheme: Scheme) -> None:
    secret, now = new_secret(scheme), time.time()
    headers = signed_headers(scheme, secret, BODY, delivery_id="msg_1", at_s=now)
    verifier = build_verifier(SignatureConfig(scheme=scheme, secrets=(secret,)), [secret])
    verifier.verify(headers, BODY, now)
    with pytest.raises(NotBelieved):
        verifier.verify(headers, BODY + b" ", now)


def test_standard_webhooks_library_takes_it() -> None:
    secret = new_secret("standard-webhooks")
    headers = signed_headers("standard-webhooks", secret, BODY, delivery_id="msg_1", at_s=time.time())
    assert Webhook(secret).verify(BODY, headers) == {"ü": 1}


def test_example_of_the_github_documentation() -> None:
    """docs.github.com, "Validating webhook deliveries": its test values."""
    headers = signed_headers(
        "github", "It's a Secret to Everybody", b"Hello, World!", delivery_id="d", at_s=0
    )
    expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert headers == {"X-GitHub-Delivery": "d", "X-Hub-Signature-256": f"sha256={expected}"}
