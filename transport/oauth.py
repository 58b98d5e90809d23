"""The client side of OAuth 2.0: authorization code with PKCE, and refresh.

Sources: RFC 6749 (sections 4.1, 5, 6), RFC 7636 (S256), RFC 9700 (security best current practice).
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from yarl import URL

from schemas.models.oauth_client import OAuthParams
from schemas.plugins.credentials import NEVER
from schemas.plugins.errors import ProviderRefused, ProviderUnavailable
from schemas.plugins.http import Http, HttpReply
from transport.masking import Secrets, concealed, secrets_in

_VERIFIER_BYTES = 48
_SHOWN_CHARS = 200
_ONLY_ITS_USER = frozenset(("invalid_grant", "interaction_required", "consent_required"))
"""Errors of section 5.2, and what Microsoft's token endpoint says where a policy wants its user again."""
_SECRET = ("code", "code_verifier", "refresh_token")
"""Of the form that a token is asked for with."""
_LONGEST_S = 100 * 365 * 86_400
"""What some servers say for ever is no time that there is."""


class GrantRefused(ProviderRefused):
    """The code or the refresh token is no good, or no more (`invalid_grant` and the like): only its user can
    help."""


@dataclass(frozen=True, slots=True)
class Token:
    """What the token endpoint has given."""

    credentials: dict[str, str] = field(repr=False)
    """access_token, token_type; refresh_token and scope where there are any."""
    expires_at: int
    """Seconds since the epoch; -1 where the server does not say."""


def new_verifier() -> str:
    """For one authorization: 64 characters that nobody can guess."""
    return secrets.token_urlsafe(_VERIFIER_BYTES)


def authorization_url(params: OAuthParams, redirect_uri: str, state: str, verifier: str) -> str:
    """Where a user agrees."""
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    query = {
        **params.authorize_parameters,
        "response_type": "code",
        "client_id": params.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if params.scopes:
        query["scope"] = " ".join(params.scopes)
    return str(URL(params.authorize_url).update_query(query))


async def exchange(
    http: Http, params: OAuthParams, code: str, redirect_uri: str, verifier: str, now_s: float
) -> Token:
    """The token for a code. Raises `GrantRefused`, `ProviderError`."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return await _ask(http, params, form, now_s, "")


async def refresh(http: Http, params: OAuthParams, refresh_token: str, now_s: float) -> Token:
    """The next token; it has the old refresh token where the server gives no new one. Raises likewise."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return await _ask(http, params, form, now_s, refresh_token)


async def _ask(http: Http, params: OAuthParams, form: dict[str, str], now_s: float, before: str) -> Token:
    headers = {}
    pair = ""
    if params.client_auth == "client_secret_basic" and params.client_secret:
        # Section 2.3.1: both are form-encoded before they are joined.
        joined = f"{quote_plus(params.client_id)}:{quote_plus(params.client_secret)}"
        pair = base64.b64encode(joined.encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    else:
        form["client_id"] = params.client_id
        if params.client_auth == "client_secret_post":
            form["client_secret"] = params.client_secret
    reply = await http("POST", params.token_url, headers=headers, form=form)
    hide = secrets_in([params.client_secret, pair, *(form.get(name, "") for name in _SECRET)])
    return _token(reply, now_s, before, hide)


def _token(reply: HttpReply, now_s: float, before: str, hide: Secrets | None) -> Token:
    found = _json(reply)
    # GitHub and others refuse with a status of 200.
    token = found.get("access_token")
    if reply.status >= 300 or "error" in found or not isinstance(token, str):
        raise _refusal(reply.status, concealed(found, hide))
    credentials = {"access_token": token, "token_type": str(found.get("token_type", "Bearer"))}
    if next_token := found.get("refresh_token") or before:
        credentials["refresh_token"] = str(next_token)
    if found.get("scope"):
        credentials["scope"] = str(found["scope"])
    try:
        lifetime_s = int(min(float(str(found.get("expires_in") or 0)), _LONGEST_S))
    except ValueError:
        lifetime_s = 0
    return Token(credentials, int(now_s) + lifetime_s if lifetime_s > 0 else NEVER)


def _json(reply: HttpReply) -> dict[str, object]:
    if reply.status >= 500:
        raise ProviderUnavailable(f"the token endpoint answers {reply.status}")
    found = reply.json()
    return found if isinstance(found, dict) else {}


def _refusal(status: int, found: dict[str, object]) -> Exception:
    """The server's own words (section 5.2), without what it was sent, and nothing else of its answer: it may
    have a token in it."""
    error = str(found.get("error") or f"status {status} without a token")[:_SHOWN_CHARS]
    described = str(found.get("error_description") or "")[:_SHOWN_CHARS]
    text = f"the token endpoint refuses: {error}" + (f" ({described})" if described else "")
    if status == 429 or error in ("temporarily_unavailable", "server_error", "slow_down"):
        return ProviderUnavailable(text)
    return GrantRefused(text) if error in _ONLY_ITS_USER else ProviderRefused(text)
