-- A run of the draft brings its graph: each saved draft in `workflow_graphs`, which ClickHouse holds in its memory, was there
-- for good. See docs/adr/0040.
ALTER TABLE workflow_run_changes ADD COLUMN IF NOT EXISTS graph Nullable(String) CODEC(ZSTD(1));

CREATE OR REPLACE VIEW workflow_runs AS
SELECT
    id, tenant_id, app_id, workflow_id, type, triggered_from, version,
    ifNull(changes.graph, joinGet('{database}.workflow_graphs', 'graph', graph_hash)) AS graph,
    inputs, status, outputs, error, elapsed_time, total_tokens, total_steps, exceptions_count,
    created_by_role, created_by, created_at, finished_at,
    graph_hash, trigger_log_id, event_at, traceparent, revision, recorded_at
FROM workflow_run_changes AS changes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;
