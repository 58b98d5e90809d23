"""The shape of a problem document, for the OpenAPI document; `ingress.errors` makes them."""

from ingress.wire import Answer


class FieldError(Answer):
    """One thing that is wrong in what was sent."""

    node: str | None
    """Node of the graph, None outside of one."""
    field: str
    """Dotted path."""
    why: str


class ProblemDocument(Answer):
    """RFC 9457. `detail` says what to change."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
    """422 only: every field that is wrong."""
