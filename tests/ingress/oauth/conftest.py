"""The same ingress as that of subscriptions."""

from tests.ingress.subscriptions.conftest import caller, client, providers

__all__ = ["caller", "client", "providers"]
