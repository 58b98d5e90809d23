"""What travels and what is configured: Avro schemas, topics, ids, models. Imports nothing of ours."""
