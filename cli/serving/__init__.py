"""The roles wired up from the environment: each module has `serve(stop)` and loads what its role needs."""
