"""Mail: a folder of an IMAP mailbox, of which each message that fits starts a run."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.triggers.config import TriggerConfig
from schemas.triggers.credentials import OAuthRefresh
from schemas.triggers.texts import TextFilter, passes, shown

_LINE = r"^[^\x00-\x1f\x7f]*$"
"""What does not end a command to the server."""

_PORTS = {"tls": 993, "starttls": 143, "none": 143}


class EmailConfig(TriggerConfig):
    """The `config` of an EMAIL trigger. `email_filter`, `folder`, `mark_as_read` and `check_interval` are
    those of the seed."""

    type: ClassVar[str] = "EMAIL"
    sealed: ClassVar[tuple[str, ...]] = ("password", "oauth.client_secret", "oauth.refresh_token")

    host: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,253}$")
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """None: 993 with `tls`, else 143."""
    security: Literal["tls", "starttls", "none"] = "tls"
    """`none` sends the password as it is: for a server on the same machine."""
    certificate: str = ""
    """PEM: of the server, or of the authority that has signed it, where the machine does not know it."""
    username: str = Field(pattern=_LINE, min_length=1)
    password: str = Field(default="", pattern=_LINE)
    oauth: OAuthRefresh | None = None
    """Instead of a password: XOAUTH2, for Gmail, Microsoft 365 and the like."""

    folder: str = Field(default="INBOX", pattern=_LINE, min_length=1)
    mark_as_read: bool = True
    """Those that pass the filters below."""
    check_interval: Annotated[float, Field(ge=1, le=1740)] = 60
    """Seconds between two looks. A server that knows IDLE tells of new mail at once, in between."""
    attachments: bool = True
    """Keep them as files; without, the workflow gets only their names and sizes."""

    email_filter: TextFilter | None = None
    """In an address of From, To or Cc."""
    sender: TextFilter | None = None
    """In the address or the name of From."""
    subject: TextFilter | None = None
    content: TextFilter | None = None
    """In the text."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event (`body.subject`, `body.from.address`, `body.attachments`).
    A start variable that is not named here takes the value of that name from the body."""

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        if bool(self.password) == (self.oauth is not None):
            raise ValueError("give one of password and oauth")
        return self

    @property
    def server_port(self) -> int:
        """The one to connect to."""
        return self.port or _PORTS[self.security]

    @property
    def subject_uri(self) -> str:
        """Which folder, without secrets."""
        return f"imap://{self.username}@{self.host}:{self.server_port}/{self.folder}"

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """The first filter that the message does not pass."""
        for name, wanted, texts in self._filters(event["body"]):
            if wanted is not None and not passes(wanted, texts):
                return f"the message does not pass the filter {name}: {shown(wanted)}"
        return None

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs

    def _filters(self, body: Mapping[str, Any]) -> Iterator[tuple[str, TextFilter | None, list[str]]]:
        people = [body["from"], *body["to"], *body["cc"]]
        sender = body["from"]
        yield "email_filter", self.email_filter, [one["address"] for one in people]
        yield "sender", self.sender, [sender["address"], f"{sender['name']} <{sender['address']}>"]
        yield "subject", self.subject, [body["subject"]]
        yield "content", self.content, [body["text"]]
