-- Figures by the minute, the hour and the day. A bucket is computed anew from the raw tables whenever one of its rows
-- has been written (sinks/rollups.py, docs/adr): rows that are repeated or change later are so counted once, as they
-- are now. `as_of` orders the computations of a bucket; the states give percentiles of any rows together.

-- What has been recorded since the last time, and the minutes of it, are found without reading a month.
ALTER TABLE workflow_run_changes
    ADD INDEX IF NOT EXISTS by_minute toStartOfMinute(event_at) TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_recorded recorded_at TYPE minmax GRANULARITY 1;

ALTER TABLE workflow_trigger_log_changes
    ADD INDEX IF NOT EXISTS by_minute toStartOfMinute(created_at) TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_recorded recorded_at TYPE minmax GRANULARITY 1;

-- And what an execution has cost, as its metadata says. Prices come as numbers or as texts, also like 3e-7.
ALTER TABLE workflow_node_execution_changes
    ADD INDEX IF NOT EXISTS by_minute toStartOfMinute(event_at) TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_recorded recorded_at TYPE minmax GRANULARITY 1,
    ADD COLUMN IF NOT EXISTS total_tokens UInt64
        MATERIALIZED JSONExtractUInt(ifNull(execution_metadata, ''), 'total_tokens') AFTER execution_metadata,
    ADD COLUMN IF NOT EXISTS total_price Decimal(18, 9)
        MATERIALIZED toDecimal64OrZero(
            trim(BOTH '"' FROM JSONExtractRaw(ifNull(execution_metadata, ''), 'total_price')), 9
        ) AFTER total_tokens,
    ADD COLUMN IF NOT EXISTS currency LowCardinality(String)
        MATERIALIZED JSONExtractString(ifNull(execution_metadata, ''), 'currency') AFTER total_price;

-- Of what is there already, in the background.
ALTER TABLE workflow_run_changes MATERIALIZE INDEX by_minute, MATERIALIZE INDEX by_recorded;
ALTER TABLE workflow_trigger_log_changes MATERIALIZE INDEX by_minute, MATERIALIZE INDEX by_recorded;
ALTER TABLE workflow_node_execution_changes MATERIALIZE INDEX by_minute, MATERIALIZE INDEX by_recorded;

CREATE OR REPLACE VIEW workflow_node_executions AS
SELECT
    id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, `index`, predecessor_node_id,
    node_execution_id, node_id, node_type, title, inputs, process_data, outputs, status, error, elapsed_time,
    execution_metadata, created_by_role, created_by, created_at, finished_at,
    total_tokens, total_price, currency, event_at, revision, recorded_at
FROM workflow_node_execution_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

-- A crash between an insert and its commit repeats the insert, with the same token unless the batch has other borders.
ALTER TABLE workflow_run_changes MODIFY SETTING non_replicated_deduplication_window = 1000;
ALTER TABLE workflow_node_execution_changes MODIFY SETTING non_replicated_deduplication_window = 1000;
ALTER TABLE workflow_trigger_log_changes MODIFY SETTING non_replicated_deduplication_window = 1000;
ALTER TABLE trigger_event_changes MODIFY SETTING non_replicated_deduplication_window = 1000;
ALTER TABLE dead_letter_changes MODIFY SETTING non_replicated_deduplication_window = 1000;
ALTER TABLE knowledge_document_changes MODIFY SETTING non_replicated_deduplication_window = 1000;
ALTER TABLE knowledge_chunk_changes MODIFY SETTING non_replicated_deduplication_window = 1000;

-- All that was recorded before `recorded_until` is in the rollups. The row with the latest `as_of` counts.
CREATE TABLE IF NOT EXISTS rollup_progress (
    recorded_until DateTime64(6, 'UTC'),
    as_of DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(as_of)
ORDER BY tuple();

-- The buckets that a computation is about. Of use as long as it runs.
CREATE TABLE IF NOT EXISTS rollup_changes (
    as_of DateTime64(6, 'UTC'),
    source LowCardinality(String),
    day Date,
    tenant_id LowCardinality(String),
    minute DateTime('UTC')
)
ENGINE = MergeTree
ORDER BY (as_of, source, day)
TTL toDateTime(as_of) + INTERVAL 1 DAY;

CREATE TABLE IF NOT EXISTS run_rollups (
    period Enum8('1m' = 1, '1h' = 2, '1d' = 3),
    time DateTime('UTC') CODEC(Delta, ZSTD(1)),
    tenant_id LowCardinality(String),
    app_id LowCardinality(String),
    workflow_id LowCardinality(String),
    version LowCardinality(String),
    triggered_from LowCardinality(String),
    runs UInt64 CODEC(ZSTD(1)),
    running UInt64 CODEC(ZSTD(1)),
    paused UInt64 CODEC(ZSTD(1)),
    succeeded UInt64 CODEC(ZSTD(1)),
    partial_succeeded UInt64 CODEC(ZSTD(1)),
    failed UInt64 CODEC(ZSTD(1)),
    stopped UInt64 CODEC(ZSTD(1)),
    retries UInt64 CODEC(ZSTD(1)),
    tokens UInt64 CODEC(ZSTD(1)),
    steps UInt64 CODEC(ZSTD(1)),
    exceptions UInt64 CODEC(ZSTD(1)),
    ended UInt64 CODEC(ZSTD(1)),
    elapsed_us UInt64 CODEC(ZSTD(1)),
    elapsed_state AggregateFunction(quantilesExactWeighted(0.5, 0.95, 0.99), Float64, UInt64) CODEC(ZSTD(1)),
    queue_latency_us UInt64 CODEC(ZSTD(1)),
    queue_latency_state AggregateFunction(quantilesExactWeighted(0.5, 0.95, 0.99), Float64, UInt64) CODEC(ZSTD(1)),
    as_of DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(as_of)
PARTITION BY (period, toYYYYMM(time))
ORDER BY (period, tenant_id, time, app_id, workflow_id, version, triggered_from);

CREATE OR REPLACE VIEW run_metrics AS
SELECT
    period, time, tenant_id, app_id, workflow_id, version, triggered_from,
    runs, running, paused, succeeded, partial_succeeded, failed, stopped, retries, tokens, steps, exceptions,
    ended,
    runs / multiIf(period = '1m', 60, period = '1h', 3600, 86400) AS rate,
    elapsed_us / 1e6 AS elapsed_sum,
    if(ended > 0, finalizeAggregation(elapsed_state)[1], NULL) AS elapsed_p50,
    if(ended > 0, finalizeAggregation(elapsed_state)[2], NULL) AS elapsed_p95,
    if(ended > 0, finalizeAggregation(elapsed_state)[3], NULL) AS elapsed_p99,
    queue_latency_us / 1e6 AS queue_latency_sum,
    if(runs > 0, finalizeAggregation(queue_latency_state)[1], NULL) AS queue_latency_p50,
    if(runs > 0, finalizeAggregation(queue_latency_state)[2], NULL) AS queue_latency_p95,
    if(runs > 0, finalizeAggregation(queue_latency_state)[3], NULL) AS queue_latency_p99,
    elapsed_state, queue_latency_state, as_of
FROM run_rollups FINAL
WHERE runs > 0
SETTINGS do_not_merge_across_partitions_select_final = 1;
CREATE OR REPLACE VIEW run_metrics_1m AS SELECT * EXCEPT period FROM run_metrics WHERE period = '1m';
CREATE OR REPLACE VIEW run_metrics_1h AS SELECT * EXCEPT period FROM run_metrics WHERE period = '1h';
CREATE OR REPLACE VIEW run_metrics_1d AS SELECT * EXCEPT period FROM run_metrics WHERE period = '1d';

CREATE TABLE IF NOT EXISTS node_rollups (
    period Enum8('1m' = 1, '1h' = 2, '1d' = 3),
    time DateTime('UTC') CODEC(Delta, ZSTD(1)),
    tenant_id LowCardinality(String),
    app_id LowCardinality(String),
    workflow_id LowCardinality(String),
    node_id LowCardinality(String),
    node_type LowCardinality(String),
    triggered_from LowCardinality(String),
    currency LowCardinality(String),
    executions UInt64 CODEC(ZSTD(1)),
    running UInt64 CODEC(ZSTD(1)),
    paused UInt64 CODEC(ZSTD(1)),
    succeeded UInt64 CODEC(ZSTD(1)),
    failed UInt64 CODEC(ZSTD(1)),
    exception UInt64 CODEC(ZSTD(1)),
    retried UInt64 CODEC(ZSTD(1)),
    stopped UInt64 CODEC(ZSTD(1)),
    tokens UInt64 CODEC(ZSTD(1)),
    ended UInt64 CODEC(ZSTD(1)),
    price Decimal(38, 9) CODEC(ZSTD(1)),
    elapsed_us UInt64 CODEC(ZSTD(1)),
    elapsed_state AggregateFunction(quantilesExactWeighted(0.5, 0.95, 0.99), Float64, UInt64) CODEC(ZSTD(1)),
    queue_latency_us UInt64 CODEC(ZSTD(1)),
    queue_latency_state AggregateFunction(quantilesExactWeighted(0.5, 0.95, 0.99), Float64, UInt64) CODEC(ZSTD(1)),
    as_of DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(as_of)
PARTITION BY (period, toYYYYMM(time))
ORDER BY (period, tenant_id, time, app_id, workflow_id, node_id, node_type, triggered_from, currency);

CREATE OR REPLACE VIEW node_metrics AS
SELECT
    period, time, tenant_id, app_id, workflow_id, node_id, node_type, triggered_from, currency,
    executions, running, paused, succeeded, failed, exception, retried, stopped, tokens, ended, price,
    executions / multiIf(period = '1m', 60, period = '1h', 3600, 86400) AS rate,
    elapsed_us / 1e6 AS elapsed_sum,
    if(ended > 0, finalizeAggregation(elapsed_state)[1], NULL) AS elapsed_p50,
    if(ended > 0, finalizeAggregation(elapsed_state)[2], NULL) AS elapsed_p95,
    if(ended > 0, finalizeAggregation(elapsed_state)[3], NULL) AS elapsed_p99,
    queue_latency_us / 1e6 AS queue_latency_sum,
    if(ended > 0, finalizeAggregation(queue_latency_state)[1], NULL) AS queue_latency_p50,
    if(ended > 0, finalizeAggregation(queue_latency_state)[2], NULL) AS queue_latency_p95,
    if(ended > 0, finalizeAggregation(queue_latency_state)[3], NULL) AS queue_latency_p99,
    elapsed_state, queue_latency_state, as_of
FROM node_rollups FINAL
WHERE executions > 0
SETTINGS do_not_merge_across_partitions_select_final = 1;
CREATE OR REPLACE VIEW node_metrics_1m AS SELECT * EXCEPT period FROM node_metrics WHERE period = '1m';
CREATE OR REPLACE VIEW node_metrics_1h AS SELECT * EXCEPT period FROM node_metrics WHERE period = '1h';
CREATE OR REPLACE VIEW node_metrics_1d AS SELECT * EXCEPT period FROM node_metrics WHERE period = '1d';

CREATE TABLE IF NOT EXISTS trigger_rollups (
    period Enum8('1m' = 1, '1h' = 2, '1d' = 3),
    time DateTime('UTC') CODEC(Delta, ZSTD(1)),
    tenant_id LowCardinality(String),
    app_id LowCardinality(String),
    workflow_id LowCardinality(String),
    trigger_type LowCardinality(String),
    queue_name LowCardinality(String),
    triggers UInt64 CODEC(ZSTD(1)),
    pending UInt64 CODEC(ZSTD(1)),
    running UInt64 CODEC(ZSTD(1)),
    success UInt64 CODEC(ZSTD(1)),
    failed UInt64 CODEC(ZSTD(1)),
    stopped UInt64 CODEC(ZSTD(1)),
    duplicates UInt64 CODEC(ZSTD(1)),
    retries UInt64 CODEC(ZSTD(1)),
    tokens UInt64 CODEC(ZSTD(1)),
    started UInt64 CODEC(ZSTD(1)),
    ended UInt64 CODEC(ZSTD(1)),
    elapsed_us UInt64 CODEC(ZSTD(1)),
    elapsed_state AggregateFunction(quantilesExactWeighted(0.5, 0.95, 0.99), Float64, UInt64) CODEC(ZSTD(1)),
    queue_latency_us UInt64 CODEC(ZSTD(1)),
    queue_latency_state AggregateFunction(quantilesExactWeighted(0.5, 0.95, 0.99), Float64, UInt64) CODEC(ZSTD(1)),
    as_of DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(as_of)
PARTITION BY (period, toYYYYMM(time))
ORDER BY (period, tenant_id, time, app_id, workflow_id, trigger_type, queue_name);

CREATE OR REPLACE VIEW trigger_metrics AS
SELECT
    period, time, tenant_id, app_id, workflow_id, trigger_type, queue_name,
    triggers, pending, running, success, failed, stopped, duplicates, retries, tokens, started, ended,
    triggers / multiIf(period = '1m', 60, period = '1h', 3600, 86400) AS rate,
    elapsed_us / 1e6 AS elapsed_sum,
    if(ended > 0, finalizeAggregation(elapsed_state)[1], NULL) AS elapsed_p50,
    if(ended > 0, finalizeAggregation(elapsed_state)[2], NULL) AS elapsed_p95,
    if(ended > 0, finalizeAggregation(elapsed_state)[3], NULL) AS elapsed_p99,
    queue_latency_us / 1e6 AS queue_latency_sum,
    if(started > 0, finalizeAggregation(queue_latency_state)[1], NULL) AS queue_latency_p50,
    if(started > 0, finalizeAggregation(queue_latency_state)[2], NULL) AS queue_latency_p95,
    if(started > 0, finalizeAggregation(queue_latency_state)[3], NULL) AS queue_latency_p99,
    elapsed_state, queue_latency_state, as_of
FROM trigger_rollups FINAL
WHERE triggers > 0
SETTINGS do_not_merge_across_partitions_select_final = 1;
CREATE OR REPLACE VIEW trigger_metrics_1m AS SELECT * EXCEPT period FROM trigger_metrics WHERE period = '1m';
CREATE OR REPLACE VIEW trigger_metrics_1h AS SELECT * EXCEPT period FROM trigger_metrics WHERE period = '1h';
CREATE OR REPLACE VIEW trigger_metrics_1d AS SELECT * EXCEPT period FROM trigger_metrics WHERE period = '1d';

-- Dead letters are few.
CREATE OR REPLACE VIEW dead_letter_metrics_1m AS
SELECT
    toDateTime(toStartOfMinute(created_at), 'UTC') AS time, tenant_id, topic, stage, count() AS letters,
    countIf(status = 'PENDING') AS pending, countIf(status = 'REPLAYED') AS replayed, sum(attempts) AS attempts,
    letters / 60 AS rate
FROM dead_letters
GROUP BY time, tenant_id, topic, stage;
CREATE OR REPLACE VIEW dead_letter_metrics_1h AS
SELECT
    toDateTime(toStartOfHour(created_at), 'UTC') AS time, tenant_id, topic, stage, count() AS letters,
    countIf(status = 'PENDING') AS pending, countIf(status = 'REPLAYED') AS replayed, sum(attempts) AS attempts,
    letters / 3600 AS rate
FROM dead_letters
GROUP BY time, tenant_id, topic, stage;
CREATE OR REPLACE VIEW dead_letter_metrics_1d AS
SELECT
    toDateTime(toStartOfDay(created_at), 'UTC') AS time, tenant_id, topic, stage, count() AS letters,
    countIf(status = 'PENDING') AS pending, countIf(status = 'REPLAYED') AS replayed, sum(attempts) AS attempts,
    letters / 86400 AS rate
FROM dead_letters
GROUP BY time, tenant_id, topic, stage;
