"""GitLab: events of a project. Sources: GitLab's documentation of webhooks, webhook events and OAuth 2.0."""

import hmac
import secrets
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import quote

import orjson
from pydantic import Field

from schemas.ids import bytes_id
from schemas.plugins.contract import (
    Dispatch,
    EventFilters,
    OAuthDefaults,
    OpenSubscription,
    PluginEvent,
    PluginModel,
    Subscribed,
    TriggerPlugin,
)
from schemas.plugins.credentials import CredentialType
from schemas.plugins.http import Http
from schemas.triggers.delivery import Delivery, NotBelieved, NotUnderstood

Event = Literal[
    "push", "tag_push", "issues", "confidential_issues", "note", "confidential_note", "merge_requests",
    "job", "pipeline", "wiki_page", "deployment", "feature_flag", "releases", "emoji", "milestone",
]  # fmt: skip
"""As the project hooks API names them, without `_events`."""

_TOKEN_BYTES = 32


class GitLabParameters(PluginModel):
    """Which project, and which of its events are sent."""

    project: str = Field(min_length=1)
    """Its number, or its path: `group/project`."""
    events: tuple[Event, ...] = Field(min_length=1)
    branches: str = ""
    """Of pushes: only those to branches that match, `*` in it; "": all."""
    url: str = Field(default="https://gitlab.com", pattern=r"^https?://[^/]+")
    """Of the instance."""


class GitLabKeys(PluginModel):
    """Instead of OAuth."""

    private_token: str = Field(min_length=1, repr=False)
    """Personal, project or group access token with the scope `api`; the role of a maintainer."""


class GitLabFilters(EventFilters):
    """By what most events have in common."""

    branches: tuple[str, ...] = ()
    """Of pushes and pipelines the branch, of merge requests the target: `*` and `?` as in file names."""
    actions: tuple[str, ...] = ()
    """Of issues and merge requests: open, close, reopen, update, merge, approved and so on."""

    def refusal(self, event_type: str, body: Any) -> str | None:
        """See `EventFilters.refusal`."""
        attributes = _object(body, "object_attributes")
        if self.actions and attributes.get("action") not in self.actions:
            return f"the action {attributes.get('action')!r} is not among {', '.join(self.actions)}"
        if self.branches:
            ref = _text(body, "ref").removeprefix("refs/heads/")
            branch = _text(attributes, "target_branch") or _text(attributes, "ref") or ref
            if not any(fnmatchcase(branch, wanted) for wanted in self.branches):
                return f"the branch {branch!r} is not among {', '.join(self.branches)}"
        return None


class GitLab(TriggerPlugin):
    """`body` is the payload as GitLab sends it; the type of an event is its `object_kind`."""

    plugin_id = "hopline"
    provider = "gitlab"
    description = "Events of a GitLab project: pushes, merge requests, issues, pipelines and the rest"
    Parameters = GitLabParameters
    Keys = GitLabKeys
    Filters = GitLabFilters
    oauth = OAuthDefaults(
        authorize_url="https://gitlab.com/oauth/authorize",
        token_url="https://gitlab.com/oauth/token",  # noqa: S106 - where tokens come from
        scopes=("api",),
    )
    secret_properties = frozenset({"hook_token"})

    def receive(self, delivery: Delivery, subscription: OpenSubscription) -> Dispatch:
        """See `TriggerPlugin.receive`. A retry has the `Idempotency-Key` of the first attempt."""
        expected = str(subscription.properties["hook_token"])
        given = delivery.headers.get("X-Gitlab-Token", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()):
            raise NotBelieved("X-Gitlab-Token is not that of the hook")
        payload = _payload(delivery.body)
        project = _object(payload, "project")
        found = PluginEvent(
            event_type=str(payload.get("object_kind") or payload.get("event_name")),
            body=payload,
            delivery_id=_delivery_id(delivery),
            source=_text(project, "web_url") or subscription.parameters.url,
            subject=_text(payload, "ref") or None,
        )
        return Dispatch((found,))

    async def subscribe(self, http: Http, subscription: OpenSubscription) -> Subscribed:
        """See `TriggerPlugin.subscribe`."""
        wanted: GitLabParameters = subscription.parameters
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        hook = {
            "url": subscription.endpoint,
            "name": f"Hopline subscription {subscription.id}",
            "token": token,
            "enable_ssl_verification": True,
            # It is on unless one says so.
            "push_events": "push" in wanted.events,
            **{f"{event}_events": True for event in wanted.events},
        }
        if wanted.branches:
            hook |= {"push_events_branch_filter": wanted.branches, "branch_filter_strategy": "wildcard"}
        reply = await http("POST", _hooks(subscription), headers=_authorization(subscription), json=hook)
        made = reply.checked("creating the webhook of the project").json()
        return Subscribed({"hook_id": made["id"], "hook_token": token})

    async def unsubscribe(self, http: Http, subscription: OpenSubscription) -> None:
        """See `TriggerPlugin.unsubscribe`."""
        if hook_id := subscription.properties.get("hook_id"):
            url = f"{_hooks(subscription)}/{hook_id}"
            reply = await http("DELETE", url, headers=_authorization(subscription))
            reply.checked("deleting the webhook of the project", missing_is_fine=True)


def _delivery_id(delivery: Delivery) -> str | None:
    if key := delivery.headers.get("Idempotency-Key"):
        return key
    # Before GitLab 17.4. What a hook has caused has the UUID of what called the hook.
    uuid = delivery.headers.get("X-Gitlab-Event-UUID")
    return f"{uuid}/{bytes_id(delivery.body)}" if uuid else None


def _hooks(subscription: OpenSubscription) -> str:
    wanted: GitLabParameters = subscription.parameters
    return f"{wanted.url.rstrip('/')}/api/v4/projects/{quote(wanted.project, safe='')}/hooks"


def _authorization(subscription: OpenSubscription) -> dict[str, str]:
    if subscription.credential_type is CredentialType.OAUTH:
        return {"Authorization": f"Bearer {subscription.credentials['access_token']}"}
    return {"PRIVATE-TOKEN": subscription.credentials["private_token"]}


def _payload(body: bytes) -> dict[str, Any]:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise NotUnderstood("the body is not JSON") from wrong
    if not isinstance(payload, dict) or not (payload.get("object_kind") or payload.get("event_name")):
        raise NotUnderstood("the body is no event of GitLab: it has no object_kind")
    return payload


def _object(value: Any, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""
