-- Spans and log lines are not written: they are the history, looked at in another way. See docs/adr/0030. A record
-- names its span (the last 16 digits of its id) and says in `traceparent` what that is under; without one, the trace is
-- named by the id of the event, or of the run. The columns are those of the tables that the
-- OpenTelemetry collector's ClickHouse exporter makes.

-- Each index has the very expression that `spans` shows as TraceId, or a trace would be looked for in all there is.
ALTER TABLE trigger_event_changes
    ADD COLUMN IF NOT EXISTS traceparent Nullable(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS published_at Nullable(DateTime64(6, 'UTC')),
    ADD INDEX IF NOT EXISTS by_time received_at TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_trace
        substring(ifNull(traceparent, concat('00-', replaceAll(toString(event_id), '-', ''))), 4, 32)
        TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE workflow_trigger_log_changes
    ADD COLUMN IF NOT EXISTS traceparent Nullable(String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS by_time created_at TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_trace
        substring(ifNull(traceparent, concat('00-', replaceAll(toString(ifNull(event_id, id)), '-', ''))), 4, 32)
        TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE workflow_run_changes
    ADD COLUMN IF NOT EXISTS traceparent Nullable(String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS by_trace
        substring(ifNull(traceparent, concat('00-', replaceAll(toString(id), '-', ''))), 4, 32)
        TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE workflow_node_execution_changes
    ADD COLUMN IF NOT EXISTS traceparent Nullable(String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS by_end finished_at TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_trace
        substring(
            ifNull(traceparent, concat('00-', replaceAll(toString(ifNull(workflow_run_id, id)), '-', ''))),
            4, 32
        )
        TYPE bloom_filter(0.001) GRANULARITY 1;

CREATE OR REPLACE VIEW workflow_trigger_logs AS
SELECT
    id, tenant_id, app_id, workflow_id, workflow_run_id, root_node_id, trigger_metadata, trigger_type,
    trigger_data, inputs, outputs, status, error, queue_name, task_id, retry_count, elapsed_time, total_tokens,
    created_by_role, created_by, created_at, triggered_at, finished_at,
    trigger_id, event_id, app_trigger_id, traceparent, revision, recorded_at
FROM workflow_trigger_log_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW workflow_runs AS
SELECT
    id, tenant_id, app_id, workflow_id, type, triggered_from, version,
    joinGet('{database}.workflow_graphs', 'graph', graph_hash) AS graph,
    inputs, status, outputs, error, elapsed_time, total_tokens, total_steps, exceptions_count,
    created_by_role, created_by, created_at, finished_at,
    graph_hash, trigger_log_id, event_at, traceparent, revision, recorded_at
FROM workflow_run_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW workflow_node_executions AS
SELECT
    id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, `index`, predecessor_node_id,
    node_execution_id, node_id, node_type, title, inputs, process_data, outputs, status, error, elapsed_time,
    execution_metadata, created_by_role, created_by, created_at, finished_at,
    total_tokens, total_price, currency, event_at, traceparent, revision, recorded_at
FROM workflow_node_execution_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW trigger_events AS
SELECT
    event_id, trigger_id, dedup_key, dedup_window_ms, tenant_id, trigger_type, index_key, source, event_type,
    subject, received_at, data, triggers_offset, workflows_offset, created_by_role, created_by, replay_of,
    traceparent, published_at, recorded_at
FROM trigger_event_changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW spans AS
SELECT
    *,
    CAST([], 'Array(DateTime64(9, \'UTC\'))') AS `Events.Timestamp`,
    CAST([], 'Array(LowCardinality(String))') AS `Events.Name`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Events.Attributes`,
    CAST([], 'Array(String)') AS `Links.TraceId`,
    CAST([], 'Array(String)') AS `Links.SpanId`,
    CAST([], 'Array(String)') AS `Links.TraceState`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Links.Attributes`
FROM
(
-- A delivery over HTTP, from when the door had it to when the door gave it to the broker.
SELECT
    CAST(received_at, 'DateTime64(9, \'UTC\')') AS Timestamp,
    substring(ifNull(traceparent, concat('00-', replaceAll(toString(event_id), '-', ''))), 4, 32) AS TraceId,
    substring(replaceAll(toString(event_id), '-', ''), 17) AS SpanId,
    replaceOne(substring(ifNull(traceparent, ''), 37, 16), repeat('0', 16), '') AS ParentSpanId,
    '' AS TraceState,
    concat('HTTP ', transform(
        trigger_type,
        ['WEBHOOK', 'PLUGIN', 'GITHUB', 'SLACK', 'CLOUDEVENTS', 'MANUAL'],
        [
            '/triggers/webhook/{webhook_id}', '/triggers/plugin/{endpoint_id}', '/api/v1/github/webhook',
            '/api/v1/slack/events', '/api/v1/events', '/api/v1/triggers/workflows/{workflow_id}/manual'
        ],
        lower(trigger_type)
    )) AS SpanName,
    'Server' AS SpanKind,
    'hopline-ingress' AS ServiceName,
    map('service.name', ServiceName, 'service.namespace', 'hopline') AS ResourceAttributes,
    'hopline' AS ScopeName,
    '' AS ScopeVersion,
    CAST(mapFilter((name, value) -> value != '', map(
        'http.route', substring(SpanName, 6),
        'http.request.method', JSONExtractString(data, 'method'),
        'url.path', JSONExtractString(data, 'path'),
        'client.address', JSONExtractString(data, 'source', 'ip'),
        'user_agent.original', JSONExtractString(data, 'source', 'user_agent'),
        'hopline.tenant.id', toString(tenant_id),
        'hopline.event.id', toString(event_id),
        'hopline.trigger.type', toString(trigger_type),
        'hopline.trigger.event', trigger_id,
        'hopline.replay_of', ifNull(toString(replay_of), '')
    )), 'Map(LowCardinality(String), String)') AS SpanAttributes,
    toUInt64(greatest(dateDiff('microsecond', received_at, assumeNotNull(published_at)), 0) * 1000) AS Duration,
    'Unset' AS StatusCode,
    '' AS StatusMessage
FROM trigger_event_changes FINAL
WHERE published_at IS NOT NULL AND ifNull(endsWith(traceparent, '1'), 1)

UNION ALL

-- What the router did with an event: until its run began, or was refused.
SELECT
    CAST(created_at, 'DateTime64(9, \'UTC\')') AS Timestamp,
    substring(
        ifNull(traceparent, concat('00-', replaceAll(toString(ifNull(event_id, id)), '-', ''))),
        4, 32
    ) AS TraceId,
    substring(replaceAll(toString(id), '-', ''), 17) AS SpanId,
    replaceOne(substring(ifNull(traceparent, ''), 37, 16), repeat('0', 16), '') AS ParentSpanId,
    '' AS TraceState,
    'process trigger.events' AS SpanName,
    'Consumer' AS SpanKind,
    'hopline-worker' AS ServiceName,
    map('service.name', ServiceName, 'service.namespace', 'hopline') AS ResourceAttributes,
    'hopline' AS ScopeName,
    '' AS ScopeVersion,
    CAST(mapFilter((name, value) -> value != '', map(
        'messaging.system', 'kafka',
        'messaging.operation.name', 'process',
        'messaging.operation.type', 'process',
        'messaging.destination.name', 'trigger.events',
        'messaging.destination.partition.id', splitByChar('/', ifNull(task_id, ''))[-2],
        'messaging.kafka.offset', splitByChar('/', ifNull(task_id, ''))[-1],
        'hopline.tenant.id', toString(tenant_id),
        'hopline.app.id', toString(app_id),
        'hopline.workflow.id', toString(workflow_id),
        'hopline.run.id', ifNull(toString(workflow_run_id), ''),
        'hopline.event.id', ifNull(toString(event_id), ''),
        'hopline.trigger_log.id', toString(id),
        'hopline.trigger.type', toString(trigger_type),
        'hopline.queue', toString(queue_name),
        'hopline.refusal', if(workflow_run_id IS NULL, ifNull(error, ''), '')
    )), 'Map(LowCardinality(String), String)') AS SpanAttributes,
    toUInt64(greatest(
        dateDiff('microsecond', created_at, assumeNotNull(coalesce(triggered_at, finished_at))), 0
    ) * 1000) AS Duration,
    'Unset' AS StatusCode,
    '' AS StatusMessage
FROM workflow_trigger_log_changes FINAL
WHERE coalesce(triggered_at, finished_at) IS NOT NULL AND ifNull(endsWith(traceparent, '1'), 1)

UNION ALL

-- A run that has ended.
SELECT
    CAST(created_at, 'DateTime64(9, \'UTC\')') AS Timestamp,
    substring(ifNull(traceparent, concat('00-', replaceAll(toString(id), '-', ''))), 4, 32) AS TraceId,
    substring(replaceAll(toString(id), '-', ''), 17) AS SpanId,
    replaceOne(substring(ifNull(traceparent, ''), 37, 16), repeat('0', 16), '') AS ParentSpanId,
    '' AS TraceState,
    concat('run ', workflow_id) AS SpanName,
    'Internal' AS SpanKind,
    'hopline-worker' AS ServiceName,
    map('service.name', ServiceName, 'service.namespace', 'hopline') AS ResourceAttributes,
    'hopline' AS ScopeName,
    '' AS ScopeVersion,
    CAST(mapFilter((name, value) -> value != '', map(
        'hopline.tenant.id', toString(tenant_id),
        'hopline.app.id', toString(app_id),
        'hopline.workflow.id', toString(workflow_id),
        'hopline.workflow.version', toString(version),
        'hopline.run.id', toString(id),
        'hopline.run.type', toString(type),
        'hopline.run.triggered_from', toString(triggered_from),
        'hopline.run.status', toString(status),
        'hopline.run.steps', toString(total_steps),
        'hopline.run.exceptions', toString(exceptions_count),
        'hopline.run.total_tokens', toString(total_tokens)
    )), 'Map(LowCardinality(String), String)') AS SpanAttributes,
    toUInt64(greatest(dateDiff('microsecond', created_at, assumeNotNull(finished_at)), 0) * 1000) AS Duration,
    transform(status, ['FAILED', 'SUCCEEDED'], ['Error', 'Ok'], 'Unset') AS StatusCode,
    if(status = 'FAILED', ifNull(error, ''), '') AS StatusMessage
FROM workflow_run_changes FINAL
WHERE finished_at IS NOT NULL AND ifNull(endsWith(traceparent, '1'), 1)

UNION ALL

-- An attempt at a node that has ended.
SELECT
    CAST(created_at, 'DateTime64(9, \'UTC\')') AS Timestamp,
    substring(
        ifNull(traceparent, concat('00-', replaceAll(toString(ifNull(workflow_run_id, id)), '-', ''))),
        4, 32
    ) AS TraceId,
    substring(replaceAll(toString(id), '-', ''), 17) AS SpanId,
    replaceOne(substring(ifNull(traceparent, ''), 37, 16), repeat('0', 16), '') AS ParentSpanId,
    '' AS TraceState,
    concat(node_type, ' ', title) AS SpanName,
    'Internal' AS SpanKind,
    'hopline-worker' AS ServiceName,
    map('service.name', ServiceName, 'service.namespace', 'hopline') AS ResourceAttributes,
    'hopline' AS ScopeName,
    '' AS ScopeVersion,
    CAST(mapFilter((name, value) -> value != '', map(
        'hopline.tenant.id', toString(tenant_id),
        'hopline.app.id', toString(app_id),
        'hopline.workflow.id', toString(workflow_id),
        'hopline.run.id', ifNull(toString(workflow_run_id), ''),
        'hopline.node.id', toString(node_id),
        'hopline.node.type', toString(node_type),
        'hopline.node.title', toString(title),
        'hopline.node.index', toString(`index`),
        'hopline.node.status', toString(status),
        'hopline.node.execution.id', node_execution_id,
        'hopline.node.retry', JSONExtractRaw(ifNull(execution_metadata, ''), 'retry_index'),
        'hopline.node.iteration', JSONExtractRaw(ifNull(execution_metadata, ''), 'iteration_index'),
        'hopline.node.loop', JSONExtractRaw(ifNull(execution_metadata, ''), 'loop_index'),
        'hopline.node.total_tokens', if(total_tokens = 0, '', toString(total_tokens)),
        'hopline.node.total_price', if(total_price = 0, '', toString(total_price)),
        'gen_ai.provider.name', JSONExtractString(ifNull(process_data, ''), 'model_provider'),
        'gen_ai.request.model', JSONExtractString(ifNull(process_data, ''), 'model_name'),
        'gen_ai.usage.input_tokens', JSONExtractRaw(ifNull(process_data, ''), 'usage', 'prompt_tokens'),
        'gen_ai.usage.output_tokens', JSONExtractRaw(ifNull(process_data, ''), 'usage', 'completion_tokens')
    )), 'Map(LowCardinality(String), String)') AS SpanAttributes,
    toUInt64(greatest(dateDiff('microsecond', created_at, assumeNotNull(finished_at)), 0) * 1000) AS Duration,
    multiIf(status = 'succeeded', 'Ok',
        has(['failed', 'exception', 'retry'], status), 'Error', 'Unset') AS StatusCode,
    if(status != 'succeeded', ifNull(error, ''), '') AS StatusMessage
FROM workflow_node_execution_changes FINAL
WHERE finished_at IS NOT NULL AND ifNull(endsWith(traceparent, '1'), 1)

UNION ALL

-- A request that an attempt at a node made to somebody else.
SELECT
    CAST(fromUnixTimestamp64Micro(call.at, 'UTC'), 'DateTime64(9, \'UTC\')') AS Timestamp,
    substring(
        ifNull(traceparent, concat('00-', replaceAll(toString(ifNull(workflow_run_id, id)), '-', ''))),
        4, 32
    ) AS TraceId,
    call.span AS SpanId,
    substring(replaceAll(toString(id), '-', ''), 17) AS ParentSpanId,
    '' AS TraceState,
    call.method AS SpanName,
    'Client' AS SpanKind,
    'hopline-worker' AS ServiceName,
    map('service.name', ServiceName, 'service.namespace', 'hopline') AS ResourceAttributes,
    'hopline' AS ScopeName,
    '' AS ScopeVersion,
    CAST(mapFilter((name, value) -> value != '', map(
        'http.request.method', call.method,
        'url.full', call.url,
        'server.address', call.host,
        'server.port', toString(call.port),
        'http.response.status_code', if(call.status = 0, '', toString(call.status)),
        'error.type', call.error,
        'hopline.tenant.id', toString(tenant_id),
        'hopline.workflow.id', toString(workflow_id),
        'hopline.run.id', ifNull(toString(workflow_run_id), ''),
        'hopline.node.id', toString(node_id),
        'hopline.node.execution.id', node_execution_id
    )), 'Map(LowCardinality(String), String)') AS SpanAttributes,
    toUInt64(call.us * 1000) AS Duration,
    if(call.error != '' OR call.status >= 400, 'Error', 'Unset') AS StatusCode,
    call.error AS StatusMessage
FROM workflow_node_execution_changes FINAL
ARRAY JOIN JSONExtract(
    ifNull(execution_metadata, ''), 'calls',
    'Array(Tuple(at Int64, us Int64, method String, url String, host String, port UInt16, status Int32, error String,
        span String))'
) AS call
WHERE
    finished_at IS NOT NULL
    AND position(ifNull(execution_metadata, ''), '"calls"') > 0
    AND ifNull(endsWith(traceparent, '1'), 1)
)
SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0;

-- By the name that the exporter gives it, with the table that says when a trace was.
CREATE OR REPLACE VIEW otel_traces AS SELECT * FROM spans;

CREATE OR REPLACE VIEW otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM spans
GROUP BY TraceId;

-- What nodes have said: what code has printed, requests to others, steps of agents, errors. Nodes that say nothing
-- have no line. What was printed has the time at which the node ended; `line` keeps its order. By time, ask for
-- `ended_at`: there is an index for it.
CREATE OR REPLACE VIEW run_logs AS
SELECT
    said.1 AS timestamp, ended_at,
    run_id, tenant_id, app_id, workflow_id, node_execution_id, node_id, node_type, title, node_index, line,
    said.2 AS level, said.3 AS source, said.4 AS text, trace_id, span_id
FROM
(
    SELECT
        workflow_run_id AS run_id, tenant_id, app_id, workflow_id, id AS node_execution_id, node_id, node_type, title,
        `index` AS node_index,
        substring(
            ifNull(traceparent, concat('00-', replaceAll(toString(ifNull(workflow_run_id, id)), '-', ''))),
            4, 32
        ) AS trace_id,
        substring(replaceAll(toString(id), '-', ''), 17) AS span_id,
        finished_at AS ended_at,
        arrayConcat(
            arrayMap(
                call -> (
                    fromUnixTimestamp64Micro(call.at + call.us, 'UTC'),
                    if(call.error != '' OR call.status >= 400, 'WARN', 'INFO'),
                    'call',
                    concat(
                        call.method, ' ', call.url, ': ', if(call.error = '', toString(call.status), call.error),
                        ' after ', toString(round(call.us / 1000, 1)), ' ms'
                    )
                ),
                JSONExtract(
                    ifNull(execution_metadata, ''), 'calls',
                    'Array(Tuple(at Int64, us Int64, method String, url String, status Int32, error String))'
                )
            ),
            arrayMap(
                step -> (
                    fromUnixTimestamp64Micro(toInt64(step.metadata.started_at * 1000000), 'UTC'),
                    if(step.status = 'error', 'ERROR', 'INFO'),
                    'agent',
                    if(step.error = '', step.label, concat(step.label, ': ', step.error))
                ),
                JSONExtract(
                    ifNull(execution_metadata, ''), 'agent_log',
                    'Array(Tuple(label String, status String, error String, metadata Tuple(started_at Float64)))'
                )
            ),
            arrayMap(
                printed -> (ended_at, 'INFO', 'stdout', printed),
                splitByChar('\n', trimRight(JSONExtractString(ifNull(process_data, ''), 'stdout'), '\n'))
            ),
            [
                (ended_at, 'ERROR', 'traceback', JSONExtractString(ifNull(process_data, ''), 'traceback')),
                (ended_at, if(status = 'failed', 'ERROR', 'WARN'), 'error', ifNull(error, ''))
            ]
        ) AS lines
    FROM workflow_node_execution_changes FINAL
    WHERE finished_at IS NOT NULL
)
ARRAY JOIN lines AS said, arrayEnumerate(lines) AS line
WHERE said.4 != ''
SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0;

-- The same, with the columns of the exporter.
CREATE OR REPLACE VIEW otel_logs AS
SELECT
    CAST(timestamp, 'DateTime64(9, \'UTC\')') AS Timestamp,
    toDateTime(ended_at) AS TimestampTime,
    trace_id AS TraceId,
    span_id AS SpanId,
    toUInt8(1) AS TraceFlags,
    CAST(level, 'LowCardinality(String)') AS SeverityText,
    transform(level, ['INFO', 'WARN', 'ERROR'], [9, 13, 17], 0)::UInt8 AS SeverityNumber,
    CAST('hopline-worker', 'LowCardinality(String)') AS ServiceName,
    text AS Body,
    CAST('', 'LowCardinality(String)') AS ResourceSchemaUrl,
    CAST(map('service.name', 'hopline-worker'), 'Map(LowCardinality(String), String)') AS ResourceAttributes,
    CAST('', 'LowCardinality(String)') AS ScopeSchemaUrl,
    'hopline' AS ScopeName,
    CAST('', 'LowCardinality(String)') AS ScopeVersion,
    CAST(map(), 'Map(LowCardinality(String), String)') AS ScopeAttributes,
    CAST(mapFilter((name, value) -> value != '', map(
        'hopline.tenant.id', toString(tenant_id),
        'hopline.app.id', toString(app_id),
        'hopline.workflow.id', toString(workflow_id),
        'hopline.run.id', ifNull(toString(run_id), ''),
        'hopline.node.id', toString(node_id),
        'hopline.node.execution.id', if(node_id = '', '', toString(node_execution_id)),
        'hopline.log.source', source
    )), 'Map(LowCardinality(String), String)') AS LogAttributes
FROM run_logs;
