"""What dashboards are made of: targets, panels, rows, variables. Pure; the output is Grafana's JSON model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]

PROMETHEUS: Json = {"type": "prometheus", "uid": "${prometheus}"}
CLICKHOUSE: Json = {"type": "grafana-clickhouse-datasource", "uid": "${clickhouse}"}
"""Variables of each dashboard: whoever imports one into a Grafana of their own chooses."""

_COLUMNS = 24
_SCHEMA_VERSION = 39
"""Of Grafana 11. Later ones bring it up to date when they load it."""


@dataclass(frozen=True)
class Prom:
    """A PromQL expression; `legend` names the series, `{{label}}` in it is replaced."""

    expr: str
    legend: str = ""
    instant: bool = False

    def json(self, ref: str) -> Json:
        """As a target of a panel."""
        kind = {"instant": True, "range": False} if self.instant else {"instant": False, "range": True}
        return {
            "datasource": PROMETHEUS, "refId": ref, "expr": self.expr,
            "legendFormat": self.legend or "__auto", **kind,
        }  # fmt: skip


@dataclass(frozen=True)
class Sql:
    """A query to ClickHouse. `timeseries`: a time, then texts that name series, then figures."""

    query: str
    """`$chosen` in it is the condition that the variables `TENANT`, `APP` and `WORKFLOW` make; `$shown` that
    of the buckets of `${period}` which the panel shows."""
    shape: Literal["timeseries", "table"] = "timeseries"

    def json(self, ref: str) -> Json:
        """As a target of a panel."""
        query = " ".join(self.query.replace("$chosen", _CHOSEN).replace("$shown", _SHOWN).split())
        return {
            "datasource": CLICKHOUSE, "refId": ref, "rawSql": query,
            "editorType": "sql", "queryType": self.shape, "format": 0 if self.shape == "timeseries" else 1,
        }  # fmt: skip


Target = Prom | Sql


@dataclass(frozen=True)
class Panel:
    """One figure or chart. Use the functions below."""

    kind: str
    title: str
    about: str
    """What it shows, and what to make of it."""
    targets: Sequence[Target]
    unit: str = "short"
    width: int = 12
    height: int = 8
    custom: Json = field(default_factory=dict)
    options: Json = field(default_factory=dict)
    steps: Sequence[tuple[float, str]] = ()
    """Colours from these values on."""
    units: Sequence[tuple[str, str]] = ()
    """Of columns that have others than `unit`."""

    def json(self, number: int, x: int, y: int) -> Json:
        """At its place."""
        kinds = {type(target) for target in self.targets}
        mixed = {"type": "datasource", "uid": "-- Mixed --"}
        datasource = mixed if len(kinds) > 1 else CLICKHOUSE if kinds == {Sql} else PROMETHEUS
        steps = [{"value": None, "color": "green"}, *({"value": v, "color": c} for v, c in self.steps)]
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": datasource,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [target.json(chr(ord("A") + i)) for i, target in enumerate(self.targets)],
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    "custom": self.custom,
                    "thresholds": {"mode": "absolute", "steps": steps},
                    **({"color": {"mode": "thresholds"}} if self.kind == "stat" else {}),
                },
                "overrides": [
                    {
                        "matcher": {"id": "byName", "options": column},
                        "properties": [{"id": "unit", "value": unit}],
                    }
                    for column, unit in self.units
                ],
            },
            "options": self.options,
        }


def chart(
    title: str, about: str, *targets: Target, unit: str = "short", stack: bool = False, width: int = 12
) -> Panel:
    """Lines over time; stacked ones are filled."""
    stacking = {"mode": "normal", "group": "A"} if stack else {"mode": "none", "group": "A"}
    custom = {
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stack else 8, "showPoints": "never",
        "spanNulls": False, "stacking": stacking,
    }  # fmt: skip
    options = {
        "legend": {
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
            "calcs": ["mean", "max"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel("timeseries", title, about, targets, unit, width, custom=custom, options=options)


def figure(
    title: str,
    about: str,
    target: Target,
    *,
    unit: str = "short",
    steps: Sequence[tuple[float, str]] = (),
    width: int = 4,
) -> Panel:
    """One number as of now, coloured from `steps` on."""
    options = {
        "colorMode": "value", "graphMode": "area", "textMode": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }  # fmt: skip
    return Panel("stat", title, about, (target,), unit, width, 4, options=options, steps=steps)


def listing(
    title: str, about: str, query: str, *, units: Sequence[tuple[str, str]] = (), width: int = 24
) -> Panel:
    """A table of what the query gives."""
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
    return Panel(
        "table", title, about, (Sql(query, "table"),), width=width, height=9, options=options, units=units
    )


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard."""

    name: str
    label: str
    query: str
    """For ClickHouse: one column."""

    def json(self) -> Json:
        """All are chosen to begin with."""
        return {
            "type": "query", "name": self.name, "label": self.label, "datasource": CLICKHOUSE,
            "query": self.query, "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
            "current": {"text": ["All"], "value": ["$__all"]},
        }  # fmt: skip


TENANT = Variable("tenant", "tenant", "SELECT DISTINCT tenant_id FROM run_metrics_1d ORDER BY 1")
APP = Variable(
    "app",
    "app",
    "SELECT DISTINCT app_id FROM run_metrics_1d WHERE tenant_id IN (${tenant:singlequote}) ORDER BY 1",
)
WORKFLOW = Variable(
    "workflow",
    "workflow",
    "SELECT DISTINCT workflow_id FROM run_metrics_1d"
    " WHERE tenant_id IN (${tenant:singlequote}) AND app_id IN (${app:singlequote}) ORDER BY 1",
)

_SHOWN = (
    "time >= multiIf('${period}' = '1d', toStartOfDay($__fromTime, 'UTC'),"
    " '${period}' = '1h', toStartOfHour($__fromTime, 'UTC'), toStartOfMinute($__fromTime, 'UTC'))"
    " AND time <= $__toTime"
)
"""A bucket has the time of its start: the first one began before what is shown."""

_CHOSEN = " AND ".join(
    f"$__conditionalAll({column} IN (${{{name}:singlequote}}), ${name})"
    for column, name in (("tenant_id", "tenant"), ("app_id", "app"), ("workflow_id", "workflow"))
)


@dataclass(frozen=True)
class Board:
    """One dashboard; `name` is that of its file."""

    name: str
    title: str
    about: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    """Heading and panels, which fill the lines from left to right."""
    variables: Sequence[Variable] = ()
    periods: Sequence[str] = ()
    """Of the rollups, the first one chosen to begin with."""
    since: str = "now-6h"

    def json(self) -> Json:
        """As Grafana reads it from a file."""
        return {
            "uid": f"hopline-{self.name}",
            "title": self.title,
            "description": self.about,
            "tags": ["hopline"],
            "schemaVersion": _SCHEMA_VERSION,
            "editable": True,
            "graphTooltip": 1,
            "time": {"from": self.since, "to": "now"},
            "timezone": "utc",
            "refresh": "30s",
            "links": [_LINK],
            "templating": {"list": list(self._variables())},
            "panels": list(self._placed()),
        }

    def _variables(self) -> Iterable[Json]:
        for name, plugin in (("prometheus", PROMETHEUS["type"]), ("clickhouse", CLICKHOUSE["type"])):
            yield {"type": "datasource", "name": name, "label": name, "query": plugin, "refresh": 1}
        if self.periods:
            options = [{"text": p, "value": p, "selected": p == self.periods[0]} for p in self.periods]
            yield {
                "type": "custom", "name": "period", "label": "by", "query": ",".join(self.periods),
                "options": options, "current": {"text": self.periods[0], "value": self.periods[0]},
            }  # fmt: skip
        for variable in self.variables:
            yield variable.json()

    def _placed(self) -> Iterable[Json]:
        number, y = 1, 0
        for heading, panels in self.rows:
            place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
            yield {
                "id": number, "type": "row", "title": heading, "collapsed": False, "gridPos": place,
                "panels": [],
            }  # fmt: skip
            number, y, x, tallest = number + 1, y + 1, 0, 0
            for panel in panels:
                if x + panel.width > _COLUMNS:
                    x, y, tallest = 0, y + tallest, 0
                yield panel.json(number, x, y)
                number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
            y += tallest


_LINK = {
    "type": "dashboards", "title": "Hopline", "tags": ["hopline"], "asDropdown": True, "includeVars": False,
    "keepTime": True, "targetBlank": False, "url": "", "icon": "external link", "tooltip": "",
}  # fmt: skip


def quantile(metric: str, *, q: float = 0.95, by: str = "") -> str:
    """Of a histogram, over what the panel shows a point for."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q:g}, sum by ({labels}) (rate({metric}_bucket[$__rate_interval])))"


def percentiles(metric: str) -> tuple[Prom, ...]:
    """The three that matter, of a histogram."""
    return tuple(Prom(quantile(metric, q=level / 100), f"p{level}") for level in (50, 95, 99))


def percentiles_over_time(table: str, state: str, where: str) -> Sql:
    """Likewise, of a duration in the rollups. `where`: which rows of them."""
    return Sql(
        f"""SELECT time, p[1] AS p50, p[2] AS p95, p[3] AS p99
            FROM (
                SELECT time, quantilesExactWeightedMerge(0.5, 0.95, 0.99)({state}) AS p
                FROM {table} WHERE {where} GROUP BY time
            )
            ORDER BY time"""  # noqa: S608
    )


def per_second(metric: str, by: str = "") -> str:
    """The rate of a counter over all processes."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}[$__rate_interval]))"
