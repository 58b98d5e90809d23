"""How long ClickHouse keeps what has happened: a TTL on each table, which its merges carry out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sinks.settings import SinkSettings
from transport.clickhouse import ClickHouse

_HISTORY = {
    "workflow_run_changes": "event_at",
    "workflow_node_execution_changes": "event_at",
    "workflow_trigger_log_changes": "created_at",
    "trigger_event_changes": "received_at",
    "dead_letter_changes": "created_at",
}
"""Table -> the time from which its rows are kept: the same in all states of an id, which go together."""

_METRICS = {"run_rollups": "time", "node_rollups": "time", "trigger_rollups": "time"}

_HOUR_S = 3600


@dataclass(frozen=True)
class Retention:
    """0 is for ever."""

    days: int = 0
    tenants: dict[str, int] = field(default_factory=dict)
    """Instead of `days`."""
    metrics_days: int = 0
    """Of the rollups, of all tenants."""

    @classmethod
    def of(cls, settings: SinkSettings) -> "Retention":
        """What the settings say."""
        return cls(settings.retention_days, dict(settings.retention_tenants), settings.retention_metrics_days)

    def ttl(self, at: str) -> str:
        """The TTL of a table whose rows are kept from `at` on, as ClickHouse shows it; empty for none."""
        rules = (
            f"toDateTime({at}) + toIntervalDay({days})" + (f" WHERE {whose}" if whose else "")
            for days, whose in self._rules()
            if days
        )
        return ", ".join(rules)

    def kept(self, at: str) -> str:
        """SQL: a row of this time and `tenant_id` is kept for an hour at least from now on."""
        least = f"now() + toIntervalSecond({_HOUR_S})"
        rules = (
            (whose or "1") + (f" AND {at} > {least} - toIntervalDay({days})" if days else "")
            for days, whose in self._rules()
        )
        return f"({' OR '.join(f'({rule})' for rule in rules)})"

    def _rules(self) -> Iterator[tuple[int, str]]:
        """How many days, and the tenants that it is true of: a condition, empty for all."""
        yield self.days, f"tenant_id NOT IN ({_texts(self.tenants)})" if self.tenants else ""
        by_days: dict[int, list[str]] = defaultdict(list)
        for tenant, days in sorted(self.tenants.items()):
            by_days[days].append(tenant)
        for days, names in sorted(by_days.items()):
            yield days, f"tenant_id IN ({_texts(names)})"


FOREVER: Final = Retention()


async def apply_retention(clickhouse: ClickHouse, retention: Retention) -> list[str]:
    """Changes the TTL of each table that has another, and returns their names.

    ClickHouse then looks through these tables once, in the background. Raises as `ClickHouse.execute` does.
    """
    wanted = {table: retention.ttl(at) for table, at in _HISTORY.items()}
    whole = Retention(retention.metrics_days)
    wanted |= {table: whole.ttl(at) for table, at in _METRICS.items()}
    found = await clickhouse.query(
        "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
    )
    shown: dict[str, str] = dict(found.rows)
    changed = [table for table, ttl in wanted.items() if _shown_ttl(shown[table]) != ttl]
    for table in changed:
        how = f"MODIFY TTL {wanted[table]}" if wanted[table] else "REMOVE TTL"
        await clickhouse.execute(f"ALTER TABLE {table} {how}")
    return changed


def _shown_ttl(engine: str) -> str:
    return engine.partition(" TTL ")[2].partition(" SETTINGS ")[0]


def _texts(names: Iterable[str]) -> str:
    return ", ".join("'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'" for name in sorted(names))
