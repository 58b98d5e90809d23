-- What no stage could make sense of in these days.
INSERT INTO {database}.dead_letter_changes (
    id, topic, partition, offset, key, value, headers, stage, reason, stack, attempts, status, tenant_id, created_at,
    revision
)
WITH (what, one) -> cityHash64({seed:UInt64}, {since:Int64}, what, one) AS draw
SELECT
    reinterpretAsUUID(sipHash128({seed:UInt64}, 'letter', {since:Int64}, number)) AS id,
    ['trigger.events', 'run.commands', 'node.tasks.default', 'runs'][kind] AS topic,
    number % 12 AS partition,
    intDiv({since:Int64}, 1000000) + number AS offset,
    toString(offset) AS key,
    if(kind = 1, 'not avro', NULL) AS value,
    [] AS headers,
    ['route', 'engine', 'executor', 'sink'][kind] AS stage,
    [
        'UndecodableValue: not an Avro single-object value of TriggerEvent: it does not start with C3 01',
        'UnknownWorkflow: the definition of this version is not there',
        'OutOfMemory: the process of the script was killed',
        'StatementRefused: Code: 27. Cannot parse input'
    ][kind] AS reason,
    '' AS stack,
    1 + draw('attempts', number) % 3 AS attempts,
    if(draw('replayed', number) % 100 < 60, 'REPLAYED', 'PENDING') AS status,
    ['', slots.tenant_id][1 + (kind > 1)] AS tenant_id,
    fromUnixTimestamp64Micro({since:Int64} + toInt64(draw('moment', number) % ({until:Int64} - {since:Int64})), 'UTC') AS created_at,
    if(status = 'REPLAYED', 2, 1) AS revision
FROM
(
    SELECT number, draw('slot', number) % 10000 AS slot, draw('kind', number) % 100 AS part,
        1 + (part >= 55) + (part >= 75) + (part >= 92) AS kind
    FROM numbers({letters:UInt64})
) AS drawn
INNER JOIN {generator}.slots USING (slot);
