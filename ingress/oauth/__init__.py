"""OAuth towards providers: the clients that Hopline is known by, and how users authorize subscriptions."""
