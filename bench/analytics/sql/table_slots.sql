-- The paths of runs, each once for every slot that it has.
CREATE TABLE {generator}.slots (
    slot UInt16,
    tenant_id LowCardinality(String),
    app_id LowCardinality(String),
    workflow_id LowCardinality(String),
    trigger_type LowCardinality(String),
    queue LowCardinality(String),
    slowdown Float64,
    node_ids Array(String),
    node_types Array(String),
    titles Array(String),
    mean_us Array(UInt64),
    retried Array(UInt32),
    fails Array(UInt32),
    lenient Array(UInt8),
    errors Array(Array(String)),
    providers Array(String),
    models Array(String),
    prompt_prices Array(Float64),
    completion_prices Array(Float64),
    tokens Array(UInt32)
)
ENGINE = Memory;
