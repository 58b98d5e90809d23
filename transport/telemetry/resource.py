"""Who a signal is of."""

from opentelemetry.sdk.resources import Resource


def resource_of(service: str) -> Resource:
    """By the name of the role, with what OTEL_RESOURCE_ATTRIBUTES says."""
    return Resource.create({"service.name": service, "service.namespace": "hopline"})
