"""Apache Kafka itself, embedded: one KRaft node from its own jars, as a child process."""
