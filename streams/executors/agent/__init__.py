"""The agent node: a model that calls tools until it has an answer. Function calling, and ReAct."""
