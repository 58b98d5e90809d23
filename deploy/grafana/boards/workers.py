"""Kafka as Hopline sees it, workers and sinks."""

from deploy.grafana.panels import Board, Prom, chart, figure, per_second, quantile

_PROCESS = "job, instance"
_JOBS = '{job=~"hopline-.*"}'

_NOW = (
    figure("Workers ready", "Those whose partitions are read.", Prom("sum(hopline_worker_ready)")),
    figure(
        "Workers that recover",
        "They read back their tables, or wait for partitions.",
        Prom("count(hopline_worker_ready == 0) or vector(0)"),
        steps=((1, "orange"),),
    ),
    figure(
        "Left to recover",
        "Offsets of changelogs, over all workers.",
        Prom("sum(hopline_recovery_remaining_rows)"),
        steps=((1, "orange"),),
    ),
    figure(
        "Last recovery",
        "The longest that a worker took, in the latest assignment.",
        Prom("max(hopline_recovery_seconds)"),
        unit="s",
    ),
    figure(
        "Rebalances",
        "Assignments of workers, in the time shown.",
        Prom("sum(increase(hopline_assignments_total[$__range]))", instant=True),
    ),
    figure(
        "Releases",
        "More than one while an upgrade is under way.",
        Prom("count(group by (version) (hopline_build_info))"),
    ),
)

_KAFKA = (
    chart(
        "Lag, by topic",
        "Messages that are not done and committed. Growing: more workers for commands, events and tasks, more"
        " sinks for the history.",
        Prom("sum by (topic) (hopline_consumer_lag) > 0", "{{topic}}"),
    ),
    chart(
        "Partitions with the most lag",
        "One alone: a key that has most of the events, or a record that is decided again and again.",
        Prom("topk(10, hopline_consumer_lag > 0)", "{{topic}}/{{partition}}"),
    ),
    chart(
        "Messages on their way to the broker",
        "At their bound the broker is slower than what is written.",
        Prom("hopline_producer_queued", "{{instance}}"),
        Prom("hopline_ingress_unacknowledged", "{{instance}}"),
    ),
    chart(
        "Read ahead, by stage",
        "At most 4,000 records or 32 MiB and one fetch: there the stage is what is slow.",
        Prom("sum by (stage) (hopline_stage_waiting_records)", "{{stage}}"),
    ),
)

_STAGES = (
    chart(
        "Records, by stage",
        "Acknowledged a second.",
        Prom(per_second("hopline_stage_records_total", "stage"), "{{stage}}"),
        unit="ops",
        width=8,
    ),
    chart(
        "From the topic to done, 99th percentile",
        "How far behind each stage is, in time.",
        Prom(quantile("hopline_stage_delay_seconds", q=0.99, by="stage"), "{{stage}}"),
        unit="s",
        width=8,
    ),
    chart(
        "A batch, 99th percentile",
        "From its first decision to its acknowledgement.",
        Prom(quantile("hopline_stage_batch_seconds", q=0.99, by="stage"), "{{stage}}"),
        unit="s",
        width=8,
    ),
    chart(
        "Rows of tables",
        "About: RocksDB's estimate.",
        Prom("sum by (table) (hopline_table_rows)", "{{table}}"),
        width=8,
    ),
    chart(
        "Size of tables",
        "In memory and on the disks of workers.",
        Prom("sum by (table) (hopline_table_bytes)", "{{table}}"),
        unit="bytes",
        width=8,
    ),
    chart(
        "Recovery",
        "Rows of changelogs a second.",
        Prom("rate(hopline_recovery_rows_total[$__rate_interval])", "{{instance}}"),
        Prom("hopline_recovery_remaining_rows", "{{instance}}, left"),
        width=8,
    ),
)

_SINKS = (
    chart(
        "Rows written, by table",
        "A second, repetitions included.",
        Prom(per_second("hopline_sink_rows_total", "table"), "{{table}}"),
        unit="ops",
        width=8,
    ),
    chart(
        "An insert, 95th percentile",
        "Slow ones: ClickHouse needs more, or merges.",
        Prom(quantile("hopline_sink_insert_seconds", by="table"), "{{table}}"),
        Prom(quantile("hopline_sink_batch_seconds"), "whole batches"),
        unit="s",
        width=8,
    ),
    chart(
        "Held, and tried again",
        "Stalled: a table takes nothing. Nothing is lost meanwhile.",
        Prom("sum by (state) (hopline_sink_held_records)", "{{state}} records"),
        Prom("sum by (state) (hopline_sink_held_bytes)", "{{state}} bytes"),
        Prom(per_second("hopline_sink_retries_total"), "retries a second"),
        width=8,
    ),
    chart(
        "Rollups",
        "How long a refresh takes, which one of the sinks does each 10 s, and those that failed.",
        Prom(quantile("hopline_sink_rollup_seconds"), "p95"),
        Prom("sum(increase(hopline_sink_rollup_failures_total[$__rate_interval]))", "failed"),
        unit="s",
    ),
    chart(
        "Spans, by what became of them",
        "Dropped: no collector took them in time.",
        Prom(per_second("hopline_sink_spans_total", "outcome"), "{{outcome}}"),
        unit="ops",
    ),
)

_PROCESSES = (
    chart(
        "How late the event loop is, 99th percentile",
        "Above 0.1 s a process has more to do than one core can: start another.",
        Prom(quantile("hopline_event_loop_delay_seconds", q=0.99, by=_PROCESS), "{{job}} {{instance}}"),
        unit="s",
        width=8,
    ),
    chart(
        "CPU",
        "Cores in use.",
        Prom(f"rate(process_cpu_seconds_total{_JOBS}[$__rate_interval])", "{{job}} {{instance}}"),
        width=8,
    ),
    chart(
        "Memory",
        "Resident, RocksDB's included.",
        Prom(f"process_resident_memory_bytes{_JOBS}", "{{job}} {{instance}}"),
        unit="bytes",
        width=8,
    ),
    chart(
        "The API, 95th percentile",
        "By the tag of the operation.",
        Prom(quantile("hopline_api_seconds", by="tag"), "{{tag}}"),
        unit="s",
    ),
    chart(
        "Answers of the API that are errors",
        "5xx: see the log of the ingress.",
        Prom('sum by (tag, status) (rate(hopline_api_requests_total{status=~"[45].."}[$__rate_interval]))',
             "{{tag}} {{status}}"),
        unit="reqps",
    ),
    chart(
        "Live streams",
        "Of as many as HOPLINE_LIVE_STREAMS allows: at 1 others are refused.",
        Prom("hopline_ingress_live_streams / hopline_ingress_live_streams_limit", "{{instance}}"),
        unit="percentunit",
    ),
)  # fmt: skip

BOARD = Board(
    name="workers",
    title="Hopline / Kafka and workers",
    about="Lag, stages, tables and processes: what is slow, and what there ought to be more of.",
    rows=(
        ("Now", _NOW),
        ("Kafka", _KAFKA),
        ("Workers", _STAGES),
        ("Sinks", _SINKS),
        ("Processes", _PROCESSES),
    ),
)
