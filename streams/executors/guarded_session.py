"""`transport.guarded_session`, by the name that executors know it by."""

from transport.guarded_session import EgressGuard, withhold

__all__ = ["EgressGuard", "withhold"]
