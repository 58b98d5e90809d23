"""The stage of subscriptions: decides who refreshes which, and keeps what came of it.

A row belongs to who owns its partition. An attempt is first written into the row, with the process that is to
make it; only when the row is kept does that process make it, and no other before the time of the attempt is
over. Its outcome comes back on the topic of the stage, in order with everything else.
"""

from dataclasses import replace
from typing import Protocol

import orjson

from schemas.codec import Codec
from schemas.ids import new_id
from schemas.models.subscription import TriggerSubscription
from streams.shell.stage import Decision, Kept, Record, Stage
from streams.subscriptions.attempts import (
    counts,
    install,
    leased,
    with_failure,
    with_renewal,
    with_token,
)
from streams.subscriptions.rows import Lease, SubscriptionRow, row_due
from transport.producer import Send
from transport.subscriptions import SUBSCRIPTION_STATES

_OUTCOMES = {"TOKEN": with_token, "RENEWED": with_renewal, "FAILED": with_failure}


class Attempts(Protocol):
    """`Refresher`, as far as the stage needs it."""

    @property
    def room(self) -> int:
        """How many more can be made at this time."""

    def begin(self, subscription: TriggerSubscription, lease: Lease, key: str) -> None:
        """Makes the attempt beside everything else; asked for again it is the same one. Does not block.

        `key` is what the provider knows its requests by, see `SubscriptionRow.attempt_key`.
        """


class Subscriptions:
    """Reads `subscription.commands`; keeps `subscriptions`; writes `definitions.subscription_states`."""

    def __init__(self, codec: Codec, attempts: Attempts) -> None:
        self._codec = codec
        self._attempts = attempts
        self._holder = new_id()
        """This process: another one each time that it starts."""
        self._reserved: dict[str, float] = {}
        """Subscription id -> by when its attempt has ended, for those that are not kept yet, or not begun."""

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        return Stage(
            "subscriptions",
            "subscription.commands",
            self.decide,
            table="subscriptions",
            due=row_due,
            on_due=self.on_due,
            owner=lambda _, row: SubscriptionRow.decode(row).subscription.tenant_id,
        )

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One command. Those for a subscription that is gone change nothing."""
        command = self._codec.decode("SubscriptionCommand", record.value)
        key, kind, payload = command["subscription_id"], command["kind"], orjson.loads(command["payload"])
        stored = kept.get(key)
        row = None if stored is None else SubscriptionRow.decode(stored)
        if kind == "SET":
            agreed = TriggerSubscription.model_validate(payload)
            if row is not None and row.subscription.updated_at > agreed.updated_at:
                return Decision()
            after = install(row, agreed, now)
            if row is not None and after.state != row.state:
                return self._kept(after, now)
            return Decision(writes={key: after.encode()})
        if kind == "REMOVE":
            return Decision([Send(SUBSCRIPTION_STATES, key.encode(), None)], {key: None})
        if kind == "RENEW":
            asked = None if row is None else replace(row, renewal_asked=True).encode()
            return Decision(writes={key: asked} if asked else {})
        if kind not in _OUTCOMES:
            raise ValueError(f"unknown kind of subscription command {kind}")
        if row is None or not counts(row, kind, payload):
            return Decision()
        return self._kept(_OUTCOMES[kind](row, payload, now), now)

    def on_due(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """Begins what is due. A row with an attempt is looked at every second: by its holder once the row is
        kept, by another owner until the holder has had its time."""
        if key not in self._reserved and self._room(now) <= 0:
            return Decision()  # It stays due. Rows are many when all have waited for a worker.
        found = SubscriptionRow.decode(row)
        lease = found.lease
        if lease is not None and now < lease.until_s:
            if lease.holder == self._holder:
                self._attempts.begin(found.subscription.since(found.state), lease, found.attempt_key(lease))
                self._reserved.pop(key, None)
            return Decision()
        # What has expired meanwhile is looked at as it is now.
        after = leased(found, self._holder, now)
        if after.lease is None:
            return self._kept(after, now)
        self._reserved[key] = after.lease.until_s
        return Decision(writes={key: after.encode()})

    def _room(self, now: float) -> int:
        """An attempt whose row was never kept gives its place back when its time is over."""
        room = self._attempts.room - len(self._reserved)
        if room <= 0:
            self._reserved = {key: until for key, until in self._reserved.items() if until > now}
        return self._attempts.room - len(self._reserved)

    def _kept(self, row: SubscriptionRow, now: float) -> Decision:
        """The row, and its state for everybody to see."""
        state = row.state
        record = {
            "id": state.id,
            "kind": type(state).__name__,
            "tenant_id": state.tenant_id,
            "body": state.model_dump_json(),
            "updated_at": int(now * 1e6),
            "updated_by": None,
        }
        value = self._codec.encode("Definition", record)
        return Decision([Send(SUBSCRIPTION_STATES, state.id.encode(), value)], {state.id: row.encode()})
