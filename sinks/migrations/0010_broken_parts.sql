-- After a power cut the parts of the last half minute may be empty files. ClickHouse puts aside what it cannot read, but
-- with more than a hundred of them it does not open the table, and an embedded engine then does not start at all.
ALTER TABLE schema_migrations MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE workflow_run_changes MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE workflow_node_execution_changes MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE workflow_trigger_log_changes MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE trigger_event_changes MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE dead_letter_changes MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE knowledge_document_changes MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE knowledge_chunk_changes MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE rollup_progress MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE rollup_changes MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE run_rollups MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE node_rollups MODIFY SETTING max_suspicious_broken_parts = 1000000;
ALTER TABLE trigger_rollups MODIFY SETTING max_suspicious_broken_parts = 1000000;
