-- Deliveries of GitHub, each once however often it was sent: by the names of the seed. Processed is a delivery
-- once a run of it has begun, or it is known that there is none.
CREATE OR REPLACE VIEW github_webhook_events AS
SELECT
    event.event_id AS id,
    event.trigger_id AS delivery_id,
    event.event_type AS event_type,
    toInt64OrNull(JSONExtractString(event.data, 'delivery', 'installation_id')) AS installation_id,
    JSONExtract(event.data, 'body', 'repository', 'id', 'Nullable(Int64)') AS repository_id,
    JSONExtractRaw(event.data, 'body') AS payload,
    routed.processed_at AS processed_at,
    event.received_at AS created_at,
    event.tenant_id AS tenant_id,
    nullIf(JSONExtractString(event.data, 'delivery', 'repository'), '') AS repository,
    nullIf(JSONExtractString(event.data, 'body', 'action'), '') AS action,
    JSONExtractString(event.data, 'delivery', 'connection') AS connection
FROM
(
    SELECT event_id, trigger_id, event_type, data, received_at, tenant_id
    FROM trigger_event_changes
    WHERE trigger_type = 'GITHUB'
    ORDER BY received_at, event_id
    LIMIT 1 BY tenant_id, dedup_key
) AS event
LEFT JOIN
(
    SELECT event_id, min(coalesce(triggered_at, finished_at)) AS processed_at
    FROM workflow_trigger_log_changes
    WHERE trigger_type = 'GITHUB'
    GROUP BY event_id
) AS routed ON routed.event_id = event.event_id;
