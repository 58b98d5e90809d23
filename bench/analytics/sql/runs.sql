-- The events of some days and what becomes of them, each drawn from its number. Times are microseconds.
--
-- Of each pair of numbers, three in a hundred are one event that is run twice: the odd number is the retry of the even
-- one, whose run fails. Behind the runs come the events that start none: half of them sent again by their producer,
-- the others not wanted.
INSERT INTO {generator}.runs
WITH
    (what, one, two) -> cityHash64({seed:UInt64}, what, one, two) AS draw,
    (what, one, two) -> -log((draw(what, one, two) % 1000000 + 1) / 1000000) AS wait
SELECT
    number, origin, slot, refusal, is_retry, is_retried, event_at, started_at,
    nodes_ended_at[-1] + 40 AS finished_at,
    version,
    multiIf(stopped_at > 0, if(is_stopped, 'STOPPED', 'FAILED'), exceptions > 0, 'PARTIAL_SUCCEEDED', 'SUCCEEDED')
        AS status,
    if(status = 'FAILED', node_errors[-1], '') AS error,
    arraySum(arrayMap(s -> s = 'exception', node_statuses)) AS exceptions,
    arraySum(prompt_tokens) + arraySum(completion_tokens) AS total_tokens,
    positions, attempts, nodes_started_at, nodes_ended_at, node_statuses, node_errors,
    arrayMap(
        (p, s) -> if(s = 'retry', 0, toUInt32(tokens[p] * (0.5 + draw('prompt', number, p) % 1000 / 1600))),
        positions, node_statuses
    ) AS prompt_tokens,
    arrayMap(
        (p, s) -> if(s = 'retry', 0, toUInt32(tokens[p] * (0.05 + draw('completion', number, p) % 1000 / 4000))),
        positions, node_statuses
    ) AS completion_tokens
FROM
(
    SELECT
        *,
        arrayMap(
            (p, a) -> if(
                a < counts[p], 'retry',
                if(p != stopped_at, if(failing[p], 'exception', 'succeeded'), if(is_stopped, 'stopped', 'failed'))
            ),
            positions, attempts
        ) AS node_statuses,
        arrayMap(
            (p, a, s) -> if(
                s IN ('succeeded', 'stopped'), '',
                errors[p][if(is_outage AND models[p] != '', 1, draw('error', number, p * 4 + a) % length(errors[p]) + 1)]
            ),
            positions, attempts, node_statuses
        ) AS node_errors,
        arrayMap(
            (p, a) -> toInt64(
                mean_us[p] * (0.55 + 0.45 * wait('took', number, p * 4 + a))
                * if(draw('slow', number, p * 4 + a) % 1000 < 4 AND mean_us[p] < 60000000, 6, 1)
                * if(version > '2026-10', slowdown, 1) * if(is_outage AND models[p] != '', 3, 1)
            ) + 1,
            positions, attempts
        ) AS took_us,
        arrayMap(
            (p, a) -> if(a > 1, 500000, 30)
                + if(mean_us[p] > 10000, toInt64(2500 * (0.4 + wait('executor', number, p * 4 + a))), 0),
            positions, attempts
        ) AS paused_us,
        arrayMap((ended, paused) -> started_at + ended, arrayCumSum(arrayMap((t, w) -> t + w, took_us, paused_us)), paused_us)
            AS nodes_ended_at,
        arrayMap((ended, took) -> ended - took, nodes_ended_at, took_us) AS nodes_started_at
    FROM
    (
        SELECT
            *,
            event_at + if(is_retry, 60000000, 0) + toInt64(
                multiIf(queue = 'high_priority', 3000, queue = 'default', 12000, 30000)
                * if(toHour(fromUnixTimestamp64Micro(event_at, 'UTC')) BETWEEN 8 AND 16, 3, 1)
                * (0.4 + wait('queue', number, 0)) * if(draw('stuck', number, 0) % 1000 < 2, 40, 1)
            ) AS started_at,
            if(event_at < {release:Int64}, '2026-08-31 09:12:44.000000', '2026-10-28 13:30:05.000000') AS version,
            event_at BETWEEN {outage:Int64} AND {outage:Int64} + 7200000000 AS is_outage,
            arrayMap(
                (p, f, m) -> draw('fails', number, p) % 100000 < f * if(is_outage AND m != '', 60, 1),
                arrayEnumerate(node_ids), fails, models
            ) AS failing,
            NOT is_retried AND draw('stopped', number, 0) % 1000 < 3 AS is_stopped,
            multiIf(
                is_retried, arrayFirstIndex((f, l) -> f > 0 AND NOT l, fails, lenient),
                is_stopped, draw('stopped', number, 1) % length(node_ids) + 1,
                arrayFirstIndex((f, l) -> f AND NOT l, failing, lenient)
            ) AS stopped_at,
            if(stopped_at > 0, stopped_at, length(node_ids)) AS last,
            arrayMap(
                (p, r, m) -> if(
                    draw('retried', number, p) % 100000 < r * if(is_outage AND m != '', 8, 1),
                    2 + (draw('retried', number, p + 100) % 4 = 0), 1
                ),
                range(1, last + 1), arraySlice(retried, 1, last), arraySlice(models, 1, last)
            ) AS counts,
            arrayFlatten(arrayMap((p, c) -> arrayWithConstant(c, toUInt8(p)), range(1, last + 1), counts)) AS positions,
            arrayMap(a -> toUInt8(a), arrayEnumerateUniq(positions)) AS attempts
        FROM
        (
            SELECT
                *,
                {since:Int64} + day_us + if(
                    trigger_type = 'SCHEDULE',
                    intDiv(of_day, 900000000) * 900000000 + draw('late', origin, 0) % 9000,
                    of_day
                ) + if(refusal = 'duplicate', 1000000 + draw('again', number, 0) % 20000000, 0) AS event_at
            FROM
            (
                SELECT
                    number,
                    multiIf(
                        number < {runs:UInt64}, '',
                        draw('refusal', number, 0) % 100 < 50, 'duplicate',
                        draw('refusal', number, 0) % 100 < 85, 'condition', 'unknown'
                    ) AS refusal,
                    if(
                        refusal = 'duplicate', {first:UInt64} + draw('of', number, 0) % {count:UInt64}, number
                    ) AS found,
                    found < {runs:UInt64} AND draw('pair', intDiv(found, 2), 0) % 100 < 3 AS is_pair,
                    refusal = '' AND is_pair AND number % 2 = 0 AS is_retried,
                    refusal = '' AND is_pair AND number % 2 = 1 AS is_retry,
                    if(is_pair, intDiv(found, 2) * 2, found) AS origin,
                    toUInt16(draw('slot', origin, 0) % 10000) AS slot,
                    toInt64(
                        {days:Array(UInt8)}[draw('day', origin, 0) % length({days:Array(UInt8)}) + 1]
                    ) * 86400000000 AS day_us,
                    toInt64(
                        {hours:Array(UInt8)}[draw('hour', origin, 0) % length({hours:Array(UInt8)}) + 1]
                    ) * 3600000000 + toInt64(draw('moment', origin, 0) % 3570000000) AS of_day
                FROM
                (
                    SELECT if(number < {count:UInt64}, {first:UInt64} + number, {idle:UInt64} + number - {count:UInt64})
                        AS number
                    FROM numbers({count:UInt64} + {idle_count:UInt64})
                )
            ) AS drawn
            INNER JOIN {generator}.slots USING (slot)
        )
    )
);
