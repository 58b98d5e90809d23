"""Why a model could not be asked, by Dify's names.

InvokeError                       what the endpoint answered cannot be read
├── InvokeAuthorizationError      401, 403: the key is wrong, or may not use the model
├── InvokeBadRequestError         any other 4xx: the request does not suit the endpoint
├── InvokeConnectionError         no connection, none that lasted, none that is allowed
├── InvokeRateLimitError          429
└── InvokeServerUnavailableError  5xx, 408, 409
"""

from streams.executors.errors import NodeExecutorError


class InvokeError(NodeExecutorError):
    """Any of the above. The message says what to do.

    `passing`: the same request may succeed in a moment, and is sent again as often as the provider says.
    """

    def __init__(
        self,
        message: str,
        *,
        passing: bool = False,
        status_code: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.passing = passing
        self.status_code = status_code
        self.retry_after_s = retry_after_s


class InvokeAuthorizationError(InvokeError):
    """The endpoint refuses the key."""


class InvokeBadRequestError(InvokeError):
    """Sending the same again would not help."""


class InvokeConnectionError(InvokeError):
    """The endpoint was not reached, or went away."""


class InvokeRateLimitError(InvokeError):
    """Too many requests, or no credit left."""


class InvokeServerUnavailableError(InvokeError):
    """The endpoint is in trouble."""
