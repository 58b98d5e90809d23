"""What is between an event and the run it starts: waiting for others, holding, limiting, gathering."""
