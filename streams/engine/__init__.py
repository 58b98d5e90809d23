"""The engine: what a run does next, as a pure function. No Kafka, no network, no settings in here."""
