-- A part of less than 10 MiB is one file in its directory and not twelve, which is most of what an insert of few rows
-- does to the file system. What is larger is written as before. An older server does not heed the setting.
ALTER TABLE workflow_run_changes MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
ALTER TABLE workflow_node_execution_changes MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
ALTER TABLE workflow_trigger_log_changes MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
ALTER TABLE trigger_event_changes MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
ALTER TABLE rollup_progress MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
ALTER TABLE rollup_changes MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
ALTER TABLE run_rollups MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
ALTER TABLE node_rollups MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
ALTER TABLE trigger_rollups MODIFY SETTING min_bytes_for_full_part_storage = 10485760;
