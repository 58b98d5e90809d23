"""The same ingress as that of subscriptions."""

from tests.ingress.subscriptions.conftest import caller, client, providers, workflow_id

__all__ = ["caller", "client", "providers", "workflow_id"]
