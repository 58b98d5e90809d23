"""Kafka as every role uses it: confirmed sends, topic creation, the view of what is configured. No Faust."""
