"""How Hopline is deployed and watched."""
