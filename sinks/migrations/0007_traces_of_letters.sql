-- From a trace to what was given up on in it, and from a letter to what came before.
ALTER TABLE dead_letter_changes
    ADD COLUMN IF NOT EXISTS trace_id Nullable(String) CODEC(ZSTD(1)) AFTER tenant_id;

CREATE OR REPLACE VIEW dead_letters AS
SELECT
    id, topic, partition, offset, key, value, headers, stage, reason, stack, attempts, status, tenant_id,
    trace_id, created_at, revision, recorded_at
FROM dead_letter_changes FINAL;
