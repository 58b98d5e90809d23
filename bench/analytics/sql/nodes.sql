-- The node executions of the runs in question, likewise: a row for each attempt.
INSERT INTO {database}.workflow_node_execution_changes (
    id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, `index`, predecessor_node_id,
    node_execution_id, node_id, node_type, title, inputs, process_data, outputs, status, error, elapsed_time,
    execution_metadata, created_by_role, created_by, created_at, finished_at, event_at, revision
)
SELECT
    reinterpretAsUUID(sipHash128({seed:UInt64}, 'node', number * 64 + step)) AS id,
    tenant_id,
    app_id,
    workflow_id,
    'workflow-run' AS triggered_from,
    reinterpretAsUUID(sipHash128({seed:UInt64}, 'run', number)) AS workflow_run_id,
    step AS `index`,
    if(position = 1, NULL, node_ids[position - 1]) AS predecessor_node_id,
    toString(id) AS node_execution_id,
    node_ids[position] AS node_id,
    node_types[position] AS node_type,
    titles[position] AS title,
    {inputs} AS inputs,
    if(
        is_open OR models[position] = '', NULL,
        concat(
            '{"model_mode":"chat","prompts":[{"role":"system","text":"You help the desk."}],"usage":{"prompt_tokens":',
            toString(prompt), ',"completion_tokens":', toString(completion), '},"model_provider":"', providers[position],
            '","model_name":"', models[position], '","finish_reason":"stop"}'
        )
    ) AS process_data,
    if(is_open OR node_status IN ('failed', 'stopped', 'retry'), NULL, {outputs}) AS outputs,
    multiIf(NOT is_open, node_status, node_type = 'human-input', 'paused', 'running') AS status,
    if(is_open OR node_error = '', NULL, node_error) AS error,
    if(is_open, 0, (ended - started) / 1000000) AS elapsed_time,
    if(
        is_open OR models[position] = '', NULL,
        concat(
            '{"total_tokens":', toString(prompt + completion), ',"total_price":',
            toString(round(prompt * prompt_prices[position] * 10 + completion * completion_prices[position] * 10) / 1e7),
            ',"currency":"USD","provider_response_latency":', toString(round((ended - started) / 1000000, 3)), '}'
        )
    ) AS execution_metadata,
    'end_user' AS created_by_role,
    NULL AS created_by,
    fromUnixTimestamp64Micro(previous_ended + if(attempt > 1, 500000, 30), 'UTC') AS created_at,
    if(is_open, NULL, fromUnixTimestamp64Micro(ended, 'UTC')) AS finished_at,
    fromUnixTimestamp64Micro(runs.event_at, 'UTC') AS event_at,
    if(is_open, 1, 2) AS revision
FROM
(
    SELECT
        number, origin, slot, event_at, finished_at, step, position, attempt, previous_ended, started, ended, node_status, node_error, prompt,
        completion, {open_node} AS is_open
    FROM {generator}.runs
    ARRAY JOIN
        arrayEnumerate(positions) AS step,
        positions AS position,
        attempts AS attempt,
        arrayConcat([started_at], arrayPopBack(nodes_ended_at)) AS previous_ended,
        nodes_started_at AS started,
        nodes_ended_at AS ended,
        node_statuses AS node_status,
        node_errors AS node_error,
        prompt_tokens AS prompt,
        completion_tokens AS completion
    WHERE refusal = '' AND started < {until:Int64} AND {rows}
) AS runs
INNER JOIN {generator}.slots USING (slot);
