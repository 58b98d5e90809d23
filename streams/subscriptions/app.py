"""Composition of what keeps subscriptions alive: its stage, and the requests beside it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from schemas.codec import Codec
from schemas.secrets import SecretBox
from streams.shell.stage import Stage
from streams.subscriptions.refresher import Refresher
from streams.subscriptions.stage import Subscriptions
from transport.egress import EgressPolicy
from transport.guarded_session import EgressGuard
from transport.plugin_http import PluginHttp
from transport.producer import Producer
from transport.subscriptions import SubscriptionIndex


@asynccontextmanager
async def open_subscriptions(
    producer: Producer,
    codec: Codec,
    index: SubscriptionIndex,
    box: SecretBox | None,
    *,
    base_url: str,
    egress_allow: Sequence[str],
) -> AsyncIterator[Stage]:
    """The stage. On leaving, requests under way may end for a while; the producer must still be open.

    Raises `ValueError` for a bad allow-list.
    """
    async with EgressGuard(EgressPolicy(egress_allow)).session() as session:
        refresher = Refresher(PluginHttp(session), producer, codec, index, box, base_url=base_url)
        try:
            yield Subscriptions(codec, refresher).stage()
        finally:
            await refresher.close()
