"""How many requests are taken of whom: token buckets in this process, each as one number.

Generic cell rate algorithm, as in ITU-T I.371: a bucket is the moment at which it will be full again. Nothing
is shared between ingresses: each allows its share, an equal part of what is configured.
"""

import math
import time
from collections.abc import Callable

from ingress.errors import TooMany
from ingress.settings import IngressSettings
from schemas.triggers.webhook import RateLimit

_SLACK = 1024
"""How many full buckets may stay before they are looked for."""


class Rate:
    """So many requests a second on average for each key, and some at once."""

    def __init__(self, per_s: float, burst: int, now: Callable[[], float]) -> None:
        """`burst` 0 is what comes in one second, and at least 1."""
        self._interval_s = 1 / per_s
        self._room_s = (max(burst or math.ceil(per_s), 1) - 1) * self._interval_s
        self._full_at: dict[str, float] = {}
        self._now = now
        self._forget_at = _SLACK

    def wait_s(self, key: str, cost: int = 1) -> float:
        """0 where the request is taken; else after how many seconds one will be, and nothing is counted.

        A batch is taken as soon as one request would be, and all of it is paid for.
        """
        now = self._now()
        full_at = max(self._full_at.get(key, now), now)
        wait = full_at - now - self._room_s
        # A part in a million: what is computed as the room may come out a little larger.
        if wait > self._interval_s * 1e-6:
            return wait
        self._full_at[key] = full_at + cost * self._interval_s
        if len(self._full_at) > self._forget_at:
            self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        self._forget_at = max(2 * len(self._full_at), _SLACK)


class Limits:
    """Of the deployment, as this process enforces them."""

    def __init__(self, settings: IngressSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._share = 1 / settings.rate_share
        self._now = now
        self._endpoint = self._of(settings.endpoint_rate_per_s, settings.endpoint_burst)
        self._tenant = self._of(settings.tenant_rate_per_s, settings.tenant_burst)
        self._starts: dict[float, Rate] = {}
        """By their intervals: those that operators and workflows have set."""

    @property
    def of_tenants(self) -> bool:
        """Whether there is a limit for them."""
        return self._tenant is not None

    def check_tenant(self, tenant_id: str, events: int = 1) -> None:
        """Raises `TooMany`."""
        if self._tenant is not None:
            _check(self._tenant, tenant_id, events, "of this tenant")

    def check_start(self, workflow_id: str, user: str, interval_s: float) -> None:
        """By hand, by a person. The stream holds all ingresses together to it; here it is said at once.

        Raises `TooMany`.
        """
        rate = self._starts.get(interval_s)
        if rate is None:
            rate = self._starts[interval_s] = Rate(1 / interval_s, 1, self._now)
        if wait_s := rate.wait_s(f"{workflow_id}/{user}"):
            raise TooMany(
                f"{user} may start this workflow once in {interval_s:g} s; try again in {wait_s:.0f} s",
                math.ceil(wait_s),
            )

    def endpoint(self, own: RateLimit | None) -> "EndpointLimit | None":
        """Of one endpoint, which may have a limit of its own; None where there is neither."""
        rates = [self._endpoint] if self._endpoint else []
        if own is not None and (rate := self._of(own.per_s, own.burst)):
            rates.append(rate)
        return EndpointLimit(tuple(rates)) if rates else None

    def _of(self, per_s: float, burst: int) -> Rate | None:
        if not per_s:
            return None
        return Rate(per_s * self._share, math.ceil(burst * self._share), self._now)


class EndpointLimit:
    """The limits that all count for one endpoint."""

    def __init__(self, rates: tuple[Rate, ...]) -> None:
        self._rates = rates

    def check(self, key: str) -> None:
        """Raises `TooMany`. `key`: what stays the same for the endpoint."""
        for rate in self._rates:
            _check(rate, key, 1, "of this endpoint")


def _check(rate: Rate, key: str, cost: int, whose: str) -> None:
    wait = rate.wait_s(key, cost)
    if wait:
        raise TooMany(f"more requests than the rate limit {whose} allows", math.ceil(wait))
