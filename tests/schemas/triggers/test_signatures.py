"""Signatures against the vectors of GitHub and Octokit, and against the Standard Webhooks library."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from standardwebhooks.webhooks import Webhook

from schemas.triggers.delivery import NotBelieved
from schemas.triggers.signature import SignatureConfig
from schemas.triggers.signatures import Verifier, build_verifier

NOW_S = 1_700_000_000.0
KEY = "whsec_" + base64.b64encode(b"a key of the standard webhooks kind").decode()
OTHER_KEY = "whsec_" + base64.b64encode(b"another key").decode()


def github(*secrets: str) -> Verifier:
    return build_verifier(SignatureConfig(scheme="github", secrets=secrets), secrets)


def standard(*secrets: str, tolerance_s: int = 300) -> Verifier:
    config = SignatureConfig(scheme="standard-webhooks", secrets=secrets, tolerance_s=tolerance_s)
    return build_verifier(config, secrets)


def signed(body: str, *, key: str = KEY, at_s: float = NOW_S, message_id: str = "msg_1") -> dict[str, str]:
    """Headers as the library of the standard makes them."""
    signature = Webhook(key).sign(message_id, datetime.fromtimestamp(at_s, UTC), body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at_s)),
        "webhook-signature": signature,
    }


@pytest.mark.parametrize(
    ("secret", "body", "signature"),
    [
        # docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
        (
            "It's a Secret to Everybody",
            b"Hello, World!",
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
        # octokit/webhooks-methods.js, test/verify.test.ts.
        (
            "mysecret",
            b'{"foo":"bar"}',
            "4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3",
        ),
    ],
)
def test_github_vectors(secret: str, body: bytes, signature: str) -> None:
    headers = CIMultiDict({"x-hub-signature-256": f"sha256={signature}"})
    github(secret).verify(headers, body, NOW_S)
    github("new secret", secret).verify(headers, body, NOW_S)
    for verifier, changed in ((github("wrong"), body), (github(secret), body + b" ")):
        with pytest.raises(NotBelieved, match="no signature in X-Hub-Signature-256"):
            verifier.verify(headers, changed, NOW_S)


@pytest.mark.parametrize("header", [None, "", "sha1=abc", "sha256=", "sha256", "757107ea", "sha256=\udcff"])
def test_github_refuses_what_is_no_signature(header: str | None) -> None:
    headers = {} if header is None else {"X-Hub-Signature-256": header}
    with pytest.raises(NotBelieved):
        github("secret").verify(headers, b"", NOW_S)


@given(st.text(), st.text(alphabet="abcdefghij_-0123456789", min_size=1))
def test_standard_webhooks_agrees_with_the_library(body: str, message_id: str) -> None:
    body = body.encode("utf-8", "replace").decode()
    standard(KEY).verify(signed(body, message_id=message_id), body.encode(), NOW_S)


def test_standard_webhooks_takes_any_signature_under_any_secret() -> None:
    """Both sides rotate: the producer sends several signatures, the trigger knows several secrets."""
    old, new = signed("{}", key=OTHER_KEY), signed("{}")
    both = {**old, "webhook-signature": f"v1a,xxx {old['webhook-signature']} {new['webhook-signature']}"}
    standard(KEY).verify(both, b"{}", NOW_S)
    standard(KEY, OTHER_KEY).verify(old, b"{}", NOW_S)
    with pytest.raises(NotBelieved, match="no signature in webhook-signature"):
        standard(KEY).verify(old, b"{}", NOW_S)


@pytest.mark.parametrize("drift_s", [-301, 301])
def test_standard_webhooks_refuses_what_is_too_old_or_too_new(drift_s: int) -> None:
    with pytest.raises(NotBelieved, match="more than 300 s"):
        standard(KEY).verify(signed("{}", at_s=NOW_S + drift_s), b"{}", NOW_S)
    standard(KEY, tolerance_s=302).verify(signed("{}", at_s=NOW_S + drift_s), b"{}", NOW_S)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_standard_webhooks_needs_all_three_headers(missing: str) -> None:
    headers = {name: value for name, value in signed("{}").items() if name != missing}
    with pytest.raises(NotBelieved, match="must all be there"):
        standard(KEY).verify(headers, b"{}", NOW_S)


@pytest.mark.parametrize("timestamp", ["soon", "-5", "1.5", "\u0661", "9" * 5000])
def test_standard_webhooks_refuses_a_timestamp_that_is_none(timestamp: str) -> None:
    with pytest.raises(NotBelieved, match="not a number"):
        standard(KEY).verify({**signed("{}"), "webhook-timestamp": timestamp}, b"{}", NOW_S)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp"])
def test_standard_webhooks_signs_id_and_timestamp_too(changed: str) -> None:
    headers = signed("{}")
    headers[changed] = headers[changed][:-1] + "7"
    with pytest.raises(NotBelieved, match="no signature in webhook-signature"):
        standard(KEY).verify(headers, b"{}", NOW_S)


def test_a_secret_that_is_no_base64_is_refused_when_it_is_stored() -> None:
    with pytest.raises(ValueError, match="whsec_ followed by base64"):
        standard("whsec_not base64!")
