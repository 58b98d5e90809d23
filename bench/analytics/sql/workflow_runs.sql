-- The runs in question, likewise.
INSERT INTO {database}.workflow_run_changes (
    id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph_hash, inputs, status, outputs, error,
    elapsed_time, total_tokens, total_steps, exceptions_count, created_by_role, created_by, created_at, finished_at,
    trigger_log_id, event_at, revision
)
SELECT
    reinterpretAsUUID(sipHash128({seed:UInt64}, 'run', number)) AS id,
    tenant_id,
    app_id,
    workflow_id,
    'workflow' AS type,
    'app-run' AS triggered_from,
    version,
    lower(hex(sipHash128(workflow_id, version))) AS graph_hash,
    {inputs} AS inputs,
    multiIf(NOT is_open, runs.status, has(node_types, 'human-input'), 'PAUSED', 'RUNNING') AS status,
    if(is_open OR runs.status NOT IN ('SUCCEEDED', 'PARTIAL_SUCCEEDED'), NULL, {outputs}) AS outputs,
    if(is_open OR runs.error = '', NULL, runs.error) AS error,
    if(is_open, 0, (runs.finished_at - runs.started_at) / 1000000) AS elapsed_time,
    if(is_open, 0, runs.total_tokens) AS total_tokens,
    if(is_open, arrayCount(at -> at < {until:Int64}, nodes_started_at), length(positions)) AS total_steps,
    exceptions AS exceptions_count,
    'end_user' AS created_by_role,
    NULL AS created_by,
    fromUnixTimestamp64Micro(runs.started_at, 'UTC') AS created_at,
    if(is_open, NULL, fromUnixTimestamp64Micro(runs.finished_at, 'UTC')) AS finished_at,
    reinterpretAsUUID(sipHash128({seed:UInt64}, 'log', origin)) AS trigger_log_id,
    fromUnixTimestamp64Micro(runs.event_at, 'UTC') AS event_at,
    if(is_open, 1, 2) AS revision
FROM (SELECT *, {open} AS is_open FROM {generator}.runs WHERE {rows}) AS runs
INNER JOIN {generator}.slots USING (slot)
WHERE refusal = '';
