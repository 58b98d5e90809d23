"""Slack: which of the events, interactions and slash commands of a workspace a trigger wants."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from schemas.triggers.config import TriggerConfig
from schemas.triggers.slack_requests import SLACK

_NEW_MESSAGES = frozenset({"", "bot_message", "file_share", "me_message", "thread_broadcast"})
"""Subtypes of what somebody has written; the others tell of what has become of it, or of the channel."""

_CHANNEL_TYPES = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}
"""As a message has them -> as one subscribes to them: `message.channels`."""

Names = Annotated[
    tuple[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)], ...],
    Field(max_length=1_000),
]


class SlackConfig(TriggerConfig):
    """The `config` of a SLACK trigger. A filter that is left out lets everything through."""

    type: ClassVar[str] = SLACK

    connection: str = ""
    """Name of the connection whose requests are looked at; "": of every one of the tenant."""
    workspace_id: Annotated[str, StringConstraints(pattern=r"^([TE][A-Z0-9]+)?$")] = ""
    """"": that of the connection, where there is a bot token to ask with; else every one."""
    channels: Names = ()
    """Ids, or names, with or without #, which become ids when the trigger is stored."""
    event_types: Names = ()
    """`message`, which is what somebody has written, narrowed by `message.channels`, `.groups`, `.im` and
    `.mpim`; `message.<subtype>`, such as `message.message_changed`; `app_mention`, `reaction_added` and all
    other events; `block_actions`, `view_submission` and all other interactions; `slash_command`."""
    users: Names = ()
    """Ids of who has done it."""
    commands: Names = ()
    """Of slash commands: `/deploy`."""
    mention_required: bool = False
    """The text must mention the app's own user."""
    ignore_bots: bool = True
    """Including the app itself."""
    thread: Literal["any", "required", "excluded"] = "any"
    """Whether it must, or must not, be a reply in a thread."""
    bot_user_id: str = ""
    """The app's own user; found out where there is a bot token to ask with."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event: `body.event.text`, `delivery.user`. A start variable that
    is not named here takes the member of that name of the payload."""

    def index_key(self, trigger_id: str) -> str:
        """The workspace."""
        return self.workspace_id

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """See `TriggerConfig.refusal`."""
        return next(self._refusals(event["delivery"]), None)

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs

    def _refusals(self, it: Mapping[str, Any]) -> Iterator[str]:
        if self.connection and self.connection != it["connection"]:
            yield f"it came by the connection {it['connection']!r}"
        if self.event_types and self.event_types_of(it).isdisjoint(self.event_types):
            yield f"event {'.'.join(filter(None, (it['event'], it['subtype'])))} is not wanted"
        if self.commands and it["command"] not in self.commands:
            yield f"it is {it['command'] or 'no slash command'}"
        if self.channels and it["channel"] not in self.channels:
            yield f"channel {it['channel']} is not wanted" if it["channel"] else "it is in no channel"
        if self.users and it["user"] not in self.users:
            yield f"user {it['user']} is not wanted" if it["user"] else "it is of no user"
        own = self.bot_user_id or it["bot_user_id"]
        if self.ignore_bots and (it["is_bot"] or (own and it["user"] == own)):
            yield "it is of a bot"
        if self.mention_required and not _mentions(it, own):
            yield "it does not mention the app"
        replies = bool(it["thread_ts"]) and it["thread_ts"] != it["ts"]
        if self.thread != "any" and replies != (self.thread == "required"):
            yield "it is in a thread" if replies else "it is not in a thread"

    @staticmethod
    def event_types_of(it: Mapping[str, Any]) -> set[str]:
        """Every name that `event_types` may have for it."""
        event, subtype = it["event"], it["subtype"]
        if event != "message":
            return {event}
        names = {f"message.{subtype}"} if subtype else set()
        if subtype in _NEW_MESSAGES:
            names.add("message")
            if kind := _CHANNEL_TYPES.get(it["channel_type"]):
                names.add(f"message.{kind}")
        return names


def _mentions(it: Mapping[str, Any], own: str) -> bool:
    if it["event"] == "app_mention":
        return True
    # Slack writes <@U123> or <@U123|name>.
    return bool(own) and any(f"<@{own}{end}" in it["text"] for end in ">|")
