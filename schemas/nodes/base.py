"""What the `data` of every node has."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.selectors import Reference


class Tolerant(BaseModel):
    """Frozen; what the editor adds for its own use is left aside, and a number may stand for a text."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""A text that the editor may write as null."""


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


NUMBER_AS_TEXT = BeforeValidator(_number_as_text)
"""For what a text is held against, or a truth value, which stays one."""


class VariableSelector(Tolerant):
    """A name for the value that a selector leads to."""

    variable: str
    value_selector: list[str] = Field(default_factory=list)


FailureKind = Annotated[str, Field(pattern=r"^([1-5](\d\d|xx)|[A-Za-z_*?][\w*?]*)$")]
"""An HTTP status (`503`), a class of them (`5xx`), or an error type, in which `*` and `?` stand for signs."""


class RetryConfig(Tolerant):
    """How often a failed node is tried again, when, and after which failures.

    The first three are Dify's, whose intervals are all the same; by default so are ours.
    """

    retry_enabled: bool = False
    max_retries: int = Field(default=0, ge=0, le=10)
    retry_interval: int = Field(default=0, ge=0)
    """Milliseconds before the second attempt."""
    backoff_factor: float = Field(default=1, ge=1, le=10)
    """Each further interval is so many times the one before."""
    max_interval: int = Field(default=60_000, ge=0)
    """Milliseconds: no interval grows longer, and no `Retry-After` of a peer is kept to for longer. Less than
    `retry_interval` counts as that."""
    jitter: float = Field(default=0, ge=0, le=1)
    """An interval is longer by up to this share of it."""
    retry_on: tuple[FailureKind, ...] = ()
    """Only after these failures. Empty: after all."""
    give_up_on: tuple[FailureKind, ...] = ()
    """Not after these, whatever `retry_on` says."""


class DefaultValue(Tolerant):
    """One output of a failed node whose error strategy is default-value."""

    key: str
    type: str = "string"
    value: Any = None

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        self.typed()
        return self

    def typed(self) -> Any:
        """The value itself: the editor keeps everything but strings as the text that was typed."""
        if self.type == "string" or not isinstance(self.value, str):
            return self.value
        return float(self.value) if self.type == "number" else orjson.loads(self.value)


class NodeData(Tolerant):
    """Common fields. A node type adds its own, and says what it refers to."""

    type: str
    title: Text = ""
    desc: Text = ""
    error_strategy: Literal["fail-branch", "default-value"] | None = None
    default_value: list[DefaultValue] | None = None
    retry_config: RetryConfig = RetryConfig()
    attempt_timeout_s: float | None = Field(default=None, gt=0)
    """How long one attempt may take, of a node that an executor works on. None: what the deployment says."""

    def references(self) -> Iterator[Reference]:
        """Every variable that the node reads, as far as its data tells."""
        return iter(())

    def faults(self) -> Iterator[tuple[str, str]]:
        """(field, why) of what validates as data but cannot run, such as a syntax error in a template."""
        return iter(())

    def remarks(self) -> Iterator[tuple[str, str]]:
        """(field, why) of what runs, but hardly as meant."""
        return iter(())

    def handles(self) -> frozenset[str] | None:
        """The source handles that its edges may have, for a node that branches; None: all edges are taken."""
        return None
