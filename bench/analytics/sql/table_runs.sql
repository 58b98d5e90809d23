-- The runs of the last days in one row each, from which their records are written.
CREATE TABLE {generator}.runs (
    number UInt64,
    origin UInt64,
    slot UInt16,
    refusal String,
    is_retry UInt8,
    is_retried UInt8,
    event_at Int64,
    started_at Int64,
    finished_at Int64,
    version LowCardinality(String),
    status LowCardinality(String),
    error String,
    exceptions UInt32,
    total_tokens UInt64,
    positions Array(UInt8),
    attempts Array(UInt8),
    nodes_started_at Array(Int64),
    nodes_ended_at Array(Int64),
    node_statuses Array(LowCardinality(String)),
    node_errors Array(String),
    prompt_tokens Array(UInt32),
    completion_tokens Array(UInt32)
)
ENGINE = MergeTree
ORDER BY number;
