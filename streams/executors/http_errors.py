"""Why an http-request node fails, by Dify's names.

HttpRequestNodeError           also any fault of the connection
├── AuthorizationConfigError
├── FileFetchError
├── InvalidHttpMethodError
├── InvalidURLError
├── RequestBodyError
├── ResponseSizeError
└── ToolSSRFError              the egress policy refuses the address
"""


class HttpRequestNodeError(ValueError):
    """The node fails with this text; the class name is its error type."""


class AuthorizationConfigError(HttpRequestNodeError):
    """No API key where one is needed."""


class FileFetchError(HttpRequestNodeError):
    """A file of the body can not be had."""


class InvalidHttpMethodError(HttpRequestNodeError):
    """A method that the node does not offer."""


class InvalidURLError(HttpRequestNodeError):
    """Empty, malformed or not HTTP."""


class RequestBodyError(HttpRequestNodeError):
    """A body that does not fit its type."""


class ResponseSizeError(HttpRequestNodeError):
    """More than may be kept of a response."""


class ToolSSRFError(HttpRequestNodeError):
    """An address that nodes may not connect to."""
