-- Each *_changes table holds every change of an entity; merges keep the one with the highest revision, and the
-- view of the contract's name shows only that one. The sorting key identifies the entity: each part of it but the
-- id is constant for an id. A run that is done again after a crash begins at another time, so runs and node
-- executions are filed under the time of their event. The day comes first, so that what has just been written lies
-- apart from what is old, where FINAL then has nothing to merge, and so that the last hours are found for all apps
-- at once; within a day, an app lies together. Ids that may be absent are empty when in a key.

CREATE TABLE IF NOT EXISTS workflow_trigger_log_changes (
    id UUID,
    tenant_id LowCardinality(String),
    app_id LowCardinality(String),
    workflow_id LowCardinality(String),
    workflow_run_id Nullable(UUID),
    root_node_id LowCardinality(Nullable(String)),
    trigger_metadata Nullable(String) CODEC(ZSTD(1)),
    trigger_type LowCardinality(String),
    trigger_data String CODEC(ZSTD(1)),
    inputs String CODEC(ZSTD(1)),
    outputs Nullable(String) CODEC(ZSTD(1)),
    status LowCardinality(String),
    error Nullable(String) CODEC(ZSTD(1)),
    queue_name LowCardinality(String),
    task_id Nullable(String) CODEC(ZSTD(1)),
    retry_count UInt32,
    elapsed_time Nullable(Float64),
    total_tokens UInt64,
    created_by_role LowCardinality(String),
    created_by LowCardinality(Nullable(String)),
    created_at DateTime64(6, 'UTC'),
    triggered_at Nullable(DateTime64(6, 'UTC')),
    finished_at Nullable(DateTime64(6, 'UTC')),
    trigger_id Nullable(String),
    event_id Nullable(UUID),
    app_trigger_id LowCardinality(Nullable(String)),
    revision UInt64,
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_run workflow_run_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(created_at)
ORDER BY (tenant_id, toDate(created_at), app_id, workflow_id, id);

CREATE OR REPLACE VIEW workflow_trigger_logs AS
SELECT
    id, tenant_id, app_id, workflow_id, workflow_run_id, root_node_id, trigger_metadata, trigger_type,
    trigger_data, inputs, outputs, status, error, queue_name, task_id, retry_count, elapsed_time, total_tokens,
    created_by_role, created_by, created_at, triggered_at, finished_at,
    trigger_id, event_id, app_trigger_id, revision, recorded_at
FROM workflow_trigger_log_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

-- Each graph once, in memory: joinGet costs nothing in a query that does not ask for the graph, and, unlike a
-- dictionary, needs no credentials on a server.
CREATE TABLE IF NOT EXISTS workflow_graphs (
    graph_hash String,
    graph String
)
ENGINE = Join(ANY, LEFT, graph_hash);

CREATE TABLE IF NOT EXISTS workflow_run_changes (
    id UUID,
    tenant_id LowCardinality(String),
    app_id LowCardinality(String),
    workflow_id LowCardinality(String),
    type LowCardinality(String),
    triggered_from LowCardinality(String),
    version LowCardinality(String),
    graph_hash LowCardinality(String),
    inputs String CODEC(ZSTD(1)),
    status LowCardinality(String),
    outputs Nullable(String) CODEC(ZSTD(1)),
    error Nullable(String) CODEC(ZSTD(1)),
    elapsed_time Float64,
    total_tokens UInt64,
    total_steps UInt32,
    exceptions_count UInt32,
    created_by_role LowCardinality(String),
    created_by LowCardinality(Nullable(String)),
    created_at DateTime64(6, 'UTC'),
    finished_at Nullable(DateTime64(6, 'UTC')),
    trigger_log_id Nullable(UUID),
    event_at DateTime64(6, 'UTC'),
    revision UInt64,
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX by_time created_at TYPE minmax GRANULARITY 1,
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(event_at)
ORDER BY (tenant_id, toDate(event_at), app_id, workflow_id, id);

CREATE OR REPLACE VIEW workflow_runs AS
SELECT
    id, tenant_id, app_id, workflow_id, type, triggered_from, version,
    joinGet('{database}.workflow_graphs', 'graph', graph_hash) AS graph,
    inputs, status, outputs, error, elapsed_time, total_tokens, total_steps, exceptions_count,
    created_by_role, created_by, created_at, finished_at,
    graph_hash, trigger_log_id, event_at, revision, recorded_at
FROM workflow_run_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

CREATE TABLE IF NOT EXISTS workflow_node_execution_changes (
    id UUID,
    tenant_id LowCardinality(String),
    app_id LowCardinality(String),
    workflow_id LowCardinality(String),
    triggered_from LowCardinality(String),
    workflow_run_id Nullable(UUID),
    `index` UInt32,
    predecessor_node_id LowCardinality(Nullable(String)),
    node_execution_id String CODEC(ZSTD(1)),
    node_id LowCardinality(String),
    node_type LowCardinality(String),
    title LowCardinality(String),
    inputs Nullable(String) CODEC(ZSTD(1)),
    process_data Nullable(String) CODEC(ZSTD(1)),
    outputs Nullable(String) CODEC(ZSTD(1)),
    status LowCardinality(String),
    error Nullable(String) CODEC(ZSTD(1)),
    elapsed_time Float64,
    execution_metadata Nullable(String) CODEC(ZSTD(1)),
    created_by_role LowCardinality(String),
    created_by LowCardinality(Nullable(String)),
    created_at DateTime64(6, 'UTC'),
    finished_at Nullable(DateTime64(6, 'UTC')),
    event_at DateTime64(6, 'UTC'),
    revision UInt64,
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX by_time created_at TYPE minmax GRANULARITY 1,
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_run workflow_run_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_node node_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(event_at)
ORDER BY (tenant_id, toDate(event_at), app_id, workflow_id, workflow_run_id, id)
SETTINGS allow_nullable_key = 1;

CREATE OR REPLACE VIEW workflow_node_executions AS
SELECT
    id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, `index`, predecessor_node_id,
    node_execution_id, node_id, node_type, title, inputs, process_data, outputs, status, error, elapsed_time,
    execution_metadata, created_by_role, created_by, created_at, finished_at,
    event_at, revision, recorded_at
FROM workflow_node_execution_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

-- An event never changes: what replaces it is the same again.
CREATE TABLE IF NOT EXISTS trigger_event_changes (
    event_id UUID,
    trigger_id String,
    dedup_key String CODEC(ZSTD(1)),
    dedup_window_ms Int64,
    tenant_id LowCardinality(String),
    trigger_type LowCardinality(String),
    index_key Nullable(String) CODEC(ZSTD(1)),
    source LowCardinality(String),
    event_type LowCardinality(String),
    subject Nullable(String) CODEC(ZSTD(1)),
    received_at DateTime64(6, 'UTC'),
    data String CODEC(ZSTD(1)),
    triggers_offset Int64,
    workflows_offset Int64,
    created_by_role LowCardinality(String),
    created_by LowCardinality(Nullable(String)),
    replay_of Nullable(UUID),
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX by_id event_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_trigger trigger_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (tenant_id, toDate(received_at), trigger_type, event_id);

CREATE OR REPLACE VIEW trigger_events AS
SELECT
    event_id, trigger_id, dedup_key, dedup_window_ms, tenant_id, trigger_type, index_key, source, event_type,
    subject, received_at, data, triggers_offset, workflows_offset, created_by_role, created_by, replay_of,
    recorded_at
FROM trigger_event_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

-- Few, and written again with another time by a stage that gives up on the same record twice: by id alone.
CREATE TABLE IF NOT EXISTS dead_letter_changes (
    id UUID,
    topic LowCardinality(String),
    partition Int32,
    offset Int64,
    key Nullable(String) CODEC(ZSTD(1)),
    value Nullable(String) CODEC(ZSTD(1)),
    headers Array(Tuple(name String, value String)) CODEC(ZSTD(1)),
    stage LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    stack String CODEC(ZSTD(1)),
    attempts UInt32,
    status LowCardinality(String),
    tenant_id LowCardinality(String),
    created_at DateTime64(6, 'UTC'),
    revision UInt64,
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY id;

CREATE OR REPLACE VIEW dead_letters AS
SELECT
    id, topic, partition, offset, key, value, headers, stage, reason, stack, attempts, status, tenant_id,
    created_at, revision, recorded_at
FROM dead_letter_changes FINAL;
