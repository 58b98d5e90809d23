"""What runs in the parsing processes: the parsers and nothing of the worker. May import no other package of
ours, and takes no settings but those it is sent."""
