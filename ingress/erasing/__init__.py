"""Requests to erase what a deployment has of a tenant: asked for by its operator, carried out here."""
