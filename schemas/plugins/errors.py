"""What can go wrong between a plugin and its provider; the text is shown to users, and has no secret in it.

ProviderError
├── ProviderRefused      asked again in the same way it would refuse again: somebody changes something
└── ProviderUnavailable  no answer, or one that says later: the same request again
"""


class ProviderError(Exception):
    """Either."""


class ProviderRefused(ProviderError):
    """The provider has understood, and does not."""


class ProviderUnavailable(ProviderError):
    """The provider did not answer, or not now."""
