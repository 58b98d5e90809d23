"""Executors of the nodes that do I/O or run user code. Pure of Kafka: values in, an `Outcome` out."""
