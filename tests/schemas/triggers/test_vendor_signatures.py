"""What the vendors' own libraries sign is believed, and nothing that differs from it."""

import base64
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from aiohttp import encode_basic_auth
from multidict import CIMultiDict
from pydantic import ValidationError
from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks.webhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from schemas.triggers.delivery import NotBelieved
from schemas.triggers.signature import SignatureConfig
from schemas.triggers.signatures import Verifier, build_verifier

NOW_S = 1_700_000_000
BODY = '{"id": "evt_1", "name": "Zoë"}'
KEY = "whsec_" + base64.b64encode(b"a key of the standard webhooks kind").decode()
OTHER = "whsec_" + base64.b64encode(b"another key").decode()

Headers = dict[str, str]


def verifier(scheme: str, *secrets: str, **options: Any) -> Verifier:
    config = SignatureConfig.model_validate({"scheme": scheme, "secrets": secrets, **options})
    return build_verifier(config, secrets)


def standard(secret: str, at_s: int) -> Headers:
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(at_s, UTC), BODY)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at_s), "webhook-signature": signature}


def svix(secret: str, at_s: int) -> Headers:
    signature = SvixWebhook(secret).sign("msg_1", datetime.fromtimestamp(at_s, UTC), BODY)
    return {"svix-id": "msg_1", "svix-timestamp": str(at_s), "svix-signature": signature}


def slack(secret: str, at_s: int) -> Headers:
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(at_s), body=BODY)
    return {"X-Slack-Request-Timestamp": str(at_s), "X-Slack-Signature": str(signature)}


def stripe_(secret: str, at_s: int) -> Headers:
    signature = stripe.WebhookSignature._compute_signature(f"{at_s}.{BODY}", secret)
    return {"Stripe-Signature": f"t={at_s},v1={signature},v0=6ffbb59b2300aae63f272406069a9788598b792a"}


Sign = Callable[[str, int], Headers]
TIMED = [("standard-webhooks", standard), ("svix", svix), ("slack", slack), ("stripe", stripe_)]
every_vendor = pytest.mark.parametrize(("scheme", "sign"), TIMED, ids=[name for name, _ in TIMED])


@every_vendor
def test_takes_what_the_library_signs(scheme: str, sign: Sign) -> None:
    headers = CIMultiDict({name.upper(): value for name, value in sign(KEY, NOW_S).items()})
    verifier(scheme, KEY).verify(headers, BODY.encode(), NOW_S)
    verifier(scheme, OTHER, KEY).verify(headers, BODY.encode(), NOW_S)


@every_vendor
def test_refuses_another_secret_another_body_and_another_time(scheme: str, sign: Sign) -> None:
    headers = sign(KEY, NOW_S)
    with pytest.raises(NotBelieved, match="no signature in"):
        verifier(scheme, OTHER).verify(headers, BODY.encode(), NOW_S)
    with pytest.raises(NotBelieved, match="no signature in"):
        verifier(scheme, KEY).verify(headers, BODY.encode() + b" ", NOW_S)
    later = {name: value.replace(str(NOW_S), str(NOW_S + 1)) for name, value in headers.items()}
    with pytest.raises(NotBelieved, match="no signature in"):
        verifier(scheme, KEY).verify(later, BODY.encode(), NOW_S)


@every_vendor
@pytest.mark.parametrize("drift_s", [-301, 301])
def test_refuses_what_is_too_old_or_too_new(scheme: str, sign: Sign, drift_s: int) -> None:
    headers = sign(KEY, NOW_S + drift_s)
    with pytest.raises(NotBelieved, match="more than 300 s"):
        verifier(scheme, KEY).verify(headers, BODY.encode(), NOW_S)
    verifier(scheme, KEY, tolerance_s=302).verify(headers, BODY.encode(), NOW_S)


@every_vendor
def test_refuses_a_request_without_its_headers(scheme: str, sign: Sign) -> None:
    for missing in sign(KEY, NOW_S):
        headers = {name: value for name, value in sign(KEY, NOW_S).items() if name != missing}
        with pytest.raises(NotBelieved):
            verifier(scheme, KEY).verify(headers, BODY.encode(), NOW_S)


def test_svix_takes_the_headers_of_the_standard() -> None:
    """As its own library does."""
    verifier("svix", KEY).verify(standard(KEY, NOW_S), BODY.encode(), NOW_S)


def test_stripe_rotates_with_two_signatures_in_one_header() -> None:
    one, other = stripe_(OTHER, NOW_S)["Stripe-Signature"], stripe_(KEY, NOW_S)["Stripe-Signature"]
    both = {"Stripe-Signature": f"{one}, {other.partition(',')[2]}"}
    verifier("stripe", KEY).verify(both, BODY.encode(), NOW_S)


@pytest.mark.parametrize(
    "header", ["", "t=1", "v1=ab", "t=,v1=ab", "t=soon,v1=ab", "t=1700000000,v0=ab", "=,=,"]
)
def test_stripe_refuses_what_is_no_signature(header: str) -> None:
    with pytest.raises(NotBelieved):
        verifier("stripe", KEY).verify({"Stripe-Signature": header}, BODY.encode(), NOW_S)


def test_a_slack_library_and_we_agree_on_the_tolerance() -> None:
    class Fixed(Clock):
        def now(self) -> float:
            return NOW_S

    for age_s, fits in ((299, True), (301, False)):
        headers = slack(KEY, NOW_S - age_s)
        theirs = SignatureVerifier(KEY, Fixed()).is_valid_request(BODY, headers)
        assert theirs is fits
        try:
            verifier("slack", KEY).verify(headers, BODY.encode(), NOW_S)
        except NotBelieved:
            assert not fits
        else:
            assert fits


@pytest.mark.parametrize(
    ("options", "header", "signed"),
    [
        # Shopify: X-Shopify-Hmac-Sha256, base64.
        ({"encoding": "base64"}, "{b64}", "{body}"),
        # Intercom: X-Hub-Signature, SHA-1.
        ({"algorithm": "sha1", "prefix": "sha1="}, "sha1={hex}", "{body}"),
        # PagerDuty: several, comma-separated.
        ({"prefix": "v1="}, "v1=00,v1={hex}", "{body}"),
        # Zoom: a version and a timestamp before the body.
        ({"prefix": "v0=", "timestamp_header": "X-Time", "signed": "v0:{timestamp}:{body}"}, "v0={hex}",
         "v0:1700000000:{body}"),
        ({"algorithm": "sha512", "timestamp_header": "X-Time"}, "{hex}", "1700000000.{body}"),
        ({"timestamp_header": "X-Time", "signed": "{body}{timestamp}"}, "{HEX}", "{body}1700000000"),
    ],
)  # fmt: skip
def test_hmac_of_many_producers(options: dict[str, str], header: str, signed: str) -> None:
    algorithm = options.get("algorithm", "sha256")
    digest = hmac.digest(b"key", signed.replace("{body}", BODY).encode(), algorithm)
    value = header.format(hex=digest.hex(), HEX=digest.hex().upper(), b64=base64.b64encode(digest).decode())
    headers = {"X-Signature": value, "X-Time": str(NOW_S)}
    found = verifier("hmac", "new", "key", header="X-Signature", **options)
    found.verify(headers, BODY.encode(), NOW_S)
    for body, sent in ((BODY + " ", headers), (BODY, {**headers, "X-Signature": "00"})):
        with pytest.raises(NotBelieved):
            found.verify(sent, body.encode(), NOW_S)
    if "timestamp_header" in options:
        with pytest.raises(NotBelieved, match="more than 300 s"):
            found.verify(headers, BODY.encode(), NOW_S + 301)


def test_hmac_takes_milliseconds() -> None:
    digest = hmac.digest(b"key", f"{NOW_S}123.{BODY}".encode(), "sha256").hex()
    headers = {"X-Signature": digest, "X-Time": f"{NOW_S}123"}
    verifier("hmac", "key", header="X-Signature", timestamp_header="X-Time").verify(
        headers, BODY.encode(), NOW_S
    )


def test_basic_and_bearer() -> None:
    authorization = encode_basic_auth("ada", "pass:wörd", "utf-8")
    for given in (authorization, authorization.replace("Basic", "bAsIc")):
        verifier("basic", "eve:x", "ada:pass:wörd").verify({"Authorization": given}, b"", NOW_S)
    verifier("bearer", "old", "new").verify({"Authorization": "Bearer new"}, b"", NOW_S)
    verifier("bearer", "new", header="X-Gitlab-Token").verify({"X-Gitlab-Token": "new"}, b"", NOW_S)


@pytest.mark.parametrize(
    ("scheme", "authorization"),
    [
        ("basic", given)
        for given in (None, "", "Basic", "Basic !", "Basic YTpi", "Bearer YTpj", "Basic ü", "YTpj")
    ]
    + [("bearer", given) for given in (None, "", "Bearer", "Bearer a:", "Bearer a:c2", "Basic a:c", "a:c")],
)
def test_basic_and_bearer_refuse(scheme: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with pytest.raises(NotBelieved, match="Authorization"):
        verifier(scheme, "a:c").verify(headers, b"", NOW_S)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"scheme": "hmac"}, "needs the name of the header"),
        ({"scheme": "hmac", "header": "X Y"}, "not the name of a header"),
        ({"scheme": "hmac", "header": "X", "signed": "x"}, "has {body} once"),
        (
            {"scheme": "hmac", "header": "X", "signed": "{timestamp}{body}"},
            "where there is a timestamp_header",
        ),
        ({"scheme": "hmac", "header": "X", "timestamp_header": "T", "signed": "{body}"}, "has {timestamp}"),
        ({"scheme": "github", "prefix": "x"}, "only the scheme hmac"),
        ({"scheme": "basic", "header": "X"}, "only the schemes hmac and bearer"),
        ({"scheme": "github", "secrets": []}, "at least 1"),
        ({"scheme": "md5"}, "standard-webhooks"),
    ],
)
def test_a_config_that_makes_no_sense(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SignatureConfig.model_validate({"secrets": ["a"], **wrong})


@pytest.mark.parametrize(("scheme", "secret"), [("svix", "whsec_no base64!"), ("basic", "password")])
def test_a_secret_that_is_none_of_its_scheme(scheme: str, secret: str) -> None:
    with pytest.raises(ValueError, match="scheme"):
        verifier(scheme, secret)
