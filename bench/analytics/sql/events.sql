-- What has arrived in these days.
INSERT INTO {database}.trigger_event_changes (
    event_id, trigger_id, dedup_key, dedup_window_ms, tenant_id, trigger_type, index_key, source, event_type, subject,
    received_at, data, triggers_offset, workflows_offset, created_by_role, created_by, replay_of
)
SELECT
    reinterpretAsUUID(sipHash128({seed:UInt64}, 'event', if(refusal = '', origin, number))) AS event_id,
    lower(hex(sipHash128({seed:UInt64}, 'delivery', origin))) AS trigger_id,
    concat(trigger_type, ':', app_id, ':', trigger_id) AS dedup_key,
    86400000 AS dedup_window_ms,
    tenant_id,
    trigger_type,
    if(refusal = 'unknown', concat(app_id, '-old'), app_id) AS index_key,
    concat('/', lower(trigger_type), '/', index_key) AS source,
    lower(trigger_type) AS event_type,
    NULL AS subject,
    fromUnixTimestamp64Micro(event_at, 'UTC') AS received_at,
    {trigger_data} AS data,
    4 AS triggers_offset,
    7 AS workflows_offset,
    'end_user' AS created_by_role,
    NULL AS created_by,
    NULL AS replay_of
FROM {generator}.runs
INNER JOIN {generator}.slots USING (slot)
WHERE event_at >= {since:Int64} AND NOT is_retry AND {rows};
