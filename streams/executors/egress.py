"""`transport.egress`, by the name that executors know it by."""

from transport.egress import EgressPolicy, EgressRefused

__all__ = ["EgressPolicy", "EgressRefused"]
