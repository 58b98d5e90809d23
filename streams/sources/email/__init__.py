"""Mailboxes that are watched over IMAP."""
