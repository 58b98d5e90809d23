"""What Hopline watches by itself: mailboxes, calendars, topics of other Kafkas. See docs/adr/0015."""
