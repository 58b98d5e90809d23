-- By its least and greatest value, an index of minutes answers for any range of `event_at`, where the sorting key has
-- left out as much already. With FINAL, what such an index selects is widened again to all that lies between in the
-- key, which is most of this table, since a part of its key may be null. A bloom filter is asked for single minutes
-- only, which is what rollups do.
ALTER TABLE workflow_node_execution_changes DROP INDEX IF EXISTS by_minute;
ALTER TABLE workflow_node_execution_changes
    ADD INDEX IF NOT EXISTS in_minute toStartOfMinute(event_at) TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE workflow_node_execution_changes MATERIALIZE INDEX in_minute;
