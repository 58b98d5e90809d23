-- The trigger logs of the runs in question, as they stand when `open` says whether they still run. The run of a retry
-- is the later state of the same log.
INSERT INTO {database}.workflow_trigger_log_changes (
    id, tenant_id, app_id, workflow_id, workflow_run_id, root_node_id, trigger_metadata, trigger_type, trigger_data,
    inputs, outputs, status, error, queue_name, task_id, retry_count, elapsed_time, total_tokens, created_by_role,
    created_by, created_at, triggered_at, finished_at, trigger_id, event_id, app_trigger_id, revision
)
SELECT
    reinterpretAsUUID(sipHash128({seed:UInt64}, 'log', if(refusal = '', origin, number))) AS id,
    tenant_id,
    if(refusal = 'unknown', '', app_id) AS app_id,
    if(refusal = 'unknown', '', workflow_id) AS workflow_id,
    if(refusal = '', reinterpretAsUUID(sipHash128({seed:UInt64}, 'run', number)), NULL) AS workflow_run_id,
    if(refusal = 'unknown', NULL, 'start') AS root_node_id,
    concat('{"source":"', lower(trigger_type), '"}') AS trigger_metadata,
    trigger_type,
    {trigger_data} AS trigger_data,
    if(refusal = 'unknown', '{}', {inputs}) AS inputs,
    if(is_open OR runs.status NOT IN ('SUCCEEDED', 'PARTIAL_SUCCEEDED') OR refusal != '', NULL, {outputs}) AS outputs,
    multiIf(
        refusal != '', 'STOPPED', is_open, 'RUNNING', runs.status IN ('SUCCEEDED', 'PARTIAL_SUCCEEDED'), 'SUCCESS', runs.status
    ) AS status,
    multiIf(
        refusal = 'duplicate', concat('duplicate of the event at ', {place}),
        refusal = 'condition', 'the condition of the trigger: amount > 100',
        refusal = 'unknown', concat('no trigger of type ', trigger_type, ' has index key ''', slots.app_id, '-old'''),
        is_open OR runs.error = '', NULL, runs.error
    ) AS error,
    queue AS queue_name,
    {place} AS task_id,
    is_retry AS retry_count,
    if(is_open, NULL, if(refusal = '', runs.finished_at - runs.event_at, 900) / 1000000) AS elapsed_time,
    if(is_open OR refusal != '', 0, runs.total_tokens) AS total_tokens,
    'end_user' AS created_by_role,
    NULL AS created_by,
    fromUnixTimestamp64Micro(runs.event_at, 'UTC') AS created_at,
    if(refusal = '', fromUnixTimestamp64Micro(runs.started_at, 'UTC'), NULL) AS triggered_at,
    if(is_open, NULL, fromUnixTimestamp64Micro(if(refusal = '', runs.finished_at, runs.event_at + 900), 'UTC')) AS finished_at,
    lower(hex(sipHash128({seed:UInt64}, 'delivery', origin))) AS trigger_id,
    reinterpretAsUUID(sipHash128({seed:UInt64}, 'event', if(refusal = '', origin, number))) AS event_id,
    if(
        refusal = 'unknown', NULL,
        concat('trigger-', app_id, if(refusal = 'condition' AND number % 3 = 0, '-beta', ''))
    ) AS app_trigger_id,
    if(refusal = '', is_retry * 3 + if(is_open, 2, 3), 1) AS revision
FROM (SELECT *, {open} AND refusal = '' AS is_open FROM {generator}.runs WHERE {rows}) AS runs
INNER JOIN {generator}.slots USING (slot);
