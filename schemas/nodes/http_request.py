"""`http-request`: one request, all texts of which may have `{{#..#}}` in them."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from schemas.nodes.base import NodeData, Text, Tolerant
from schemas.selectors import Reference, in_text, of

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class AuthorizationConfig(Tolerant):
    """How the key is sent."""

    type: Literal["basic", "bearer", "custom"]
    api_key: Text = ""
    header: Text = ""
    """Name of the header; empty: Authorization."""


class Authorization(Tolerant):
    """Whether a key is sent."""

    type: Literal["no-auth", "api-key"] = "no-auth"
    config: AuthorizationConfig | None = None


class BodyItem(Tolerant):
    """A field of a form, or the body as a whole."""

    key: Text = ""
    type: Literal["text", "file"] = "text"
    value: Text = ""
    file: Annotated[list[str], BeforeValidator(lambda value: value or [])] = Field(default_factory=list)
    """Selector of a file or a list of files."""


class Body(Tolerant):
    """The body."""

    type: Literal["none", "form-data", "x-www-form-urlencoded", "raw-text", "json", "binary"] = "none"
    data: list[BodyItem] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """Before DSL 0.1.3 a body was one text, and a form was lines of `name: value`."""
        if not isinstance(value, dict):
            return value
        data = value.get("data") or []
        if isinstance(data, str) and value.get("type") in ("form-data", "x-www-form-urlencoded"):
            lines = (line.partition(":") for line in data.splitlines() if line.strip())
            data = [{"key": name.strip(), "value": text.strip()} for name, _, text in lines]
        elif isinstance(data, str):
            data = [{"value": data}]
        return {**value, "data": data}


class Timeout(Tolerant):
    """Seconds; None and 0 are the deployment's."""

    connect: int | None = None
    read: int | None = None
    write: int | None = None


class HttpRequestData(NodeData):
    """`data` of an http-request node."""

    method: Annotated[Method, BeforeValidator(_upper)]
    url: str
    authorization: Authorization = Authorization()
    headers: Text = ""
    """Lines of `name: value`."""
    params: Text = ""
    """Lines of `name: value`."""
    body: Body | None = None
    timeout: Timeout | None = None
    ssl_verify: bool | None = None

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for field in ("url", "headers", "params"):
            yield from in_text(field, getattr(self, field))
        if self.authorization.config:
            yield from in_text("authorization.config.api_key", self.authorization.config.api_key)
        for i, item in enumerate(self.body.data if self.body else ()):
            yield from in_text(f"body.data.{i}.key", item.key)
            yield from in_text(f"body.data.{i}.value", item.value)
            yield from of(f"body.data.{i}.file", item.file)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        if self.authorization.type == "api-key" and self.authorization.config is None:
            yield "authorization.config", "is missing, though the type is api-key"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        if self.body and self.body.type in ("raw-text", "json", "binary") and len(self.body.data) != 1:
            # Published files have such nodes, and run where no branch leads to them.
            yield "body.data", f"a body of type {self.body.type} has exactly one item: the node will fail"
