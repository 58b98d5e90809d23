"""Plugin subscriptions: the endpoint that providers send to, and how subscriptions are made and ended."""
