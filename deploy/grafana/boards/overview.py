"""Is it well, and is it keeping up?"""

from deploy.grafana.panels import Board, Prom, Sql, chart, figure, per_second, percentiles_over_time, quantile

_REFUSED = 'sum(rate(hopline_ingress_refusals_total{status=~"429|503"}[$__rate_interval]))'
_ENDED = "sum(rate(hopline_runs_total[$__rate_interval]))"
_FAILED = 'sum(rate(hopline_runs_total{status="FAILED"}[$__rate_interval]))'

_NOW = (
    figure(
        "Events accepted",
        "A second, duplicates included.",
        Prom(per_second("hopline_ingress_events_total")),
        unit="ops",
    ),
    figure("Runs ended", "A second.", Prom(_ENDED), unit="ops"),
    figure(
        "Failed runs",
        "Of those that ended.",
        Prom(f"{_FAILED} / {_ENDED}"),
        unit="percentunit",
        steps=((0.01, "orange"), (0.1, "red")),
    ),
    figure(
        "Lag",
        "Messages that are not done and committed, over all topics.",
        Prom("sum(hopline_consumer_lag)"),
        steps=((10_000, "orange"), (100_000, "red")),
    ),
    figure(
        "Dead letters",
        "Records given up on, in the time shown: hopline dlq list.",
        Prom("sum(increase(hopline_dead_letters_total[$__range])) or vector(0)", instant=True),
        steps=((1, "red"),),
    ),
    figure(
        "Workers ready",
        "Those whose partitions are read. More of them: when the lag grows.",
        Prom("sum(hopline_worker_ready)"),
    ),
)

_FLOW = (
    chart(
        "Events accepted, by trigger type",
        "What producers were told is safe.",
        Prom(per_second("hopline_ingress_events_total", "trigger_type"), "{{trigger_type}}"),
        unit="ops",
        stack=True,
    ),
    chart(
        "Runs ended, by status",
        "As workers have ended them.",
        Prom(per_second("hopline_runs_total", "status"), "{{status}}"),
        unit="ops",
        stack=True,
    ),
    chart(
        "From the topic to done, 95th percentile",
        "How long records wait for each stage, and are worked on there. What grows first is what to add to.",
        Prom(quantile("hopline_stage_delay_seconds", by="stage"), "{{stage}}"),
        unit="s",
    ),
    chart(
        "From the topic to ClickHouse, 95th percentile",
        "How old a row is when it can be queried.",
        Prom(quantile("hopline_sink_delay_seconds", by="table"), "{{table}}"),
        unit="s",
    ),
    chart(
        "Lag, by topic",
        "Messages that are not done and committed.",
        Prom("sum by (topic) (hopline_consumer_lag) > 0", "{{topic}}"),
    ),
    chart(
        "Trouble",
        "All of these ought to be nothing.",
        Prom(_REFUSED, "events refused a second, 429 or 503"),
        Prom("sum(hopline_ingress_spooled)", "events in spools"),
        Prom(per_second("hopline_dead_letters_total", "stage"), "dead letters a second: {{stage}}"),
        Prom('sum(hopline_sink_held_records{state="stalled"})', "rows that a table does not take"),
        Prom("max(hopline_due_overdue_seconds)", "seconds that a timer is late"),
    ),
)

_HISTORY = (
    chart(
        "Runs by status, a minute",
        "By the time at which their event was accepted.",
        Sql(
            """SELECT time, sum(succeeded) AS succeeded, sum(partial_succeeded) AS "partial succeeded",
                      sum(failed) AS failed, sum(stopped) AS stopped, sum(running + paused) AS "under way"
               FROM run_metrics_1m WHERE $__timeFilter(time) GROUP BY time ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "How long runs take",
        "From their start to their end.",
        percentiles_over_time("run_metrics_1m", "elapsed_state", "ended > 0 AND $__timeFilter(time)"),
        unit="s",
    ),
)

BOARD = Board(
    name="overview",
    title="Hopline / Overview",
    about="Is it well, is it keeping up, and does it need more workers?",
    rows=(("Now", _NOW), ("From events to rows", _FLOW), ("History", _HISTORY)),
)
