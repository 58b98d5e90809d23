"""What can go wrong between a plugin and its provider; the text is shown to users, and has no secret in it.

ProviderError
├── ProviderRefused      asked again in the same way it would refuse again: somebody changes something
└── ProviderUnavailable  not now: the same request again
    └── Unanswered       nobody knows whether it was carried out
"""


def fault_of(error: BaseException) -> str:
    """What and where, for the log: the text of a fault in a plugin may have a secret in it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {place}"


class ProviderError(Exception):
    """Either."""


class ProviderRefused(ProviderError):
    """The provider has understood, and does not."""


class ProviderUnavailable(ProviderError):
    """The provider did not answer, or not now."""


class Unanswered(ProviderUnavailable):
    """The provider cannot be reached, or the connection broke: it may have done what was asked."""
