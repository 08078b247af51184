"""Webhooks: what hosts of repositories and other programs begin."""
