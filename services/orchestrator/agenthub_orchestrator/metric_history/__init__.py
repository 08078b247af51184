"""Keeps a few metrics of the hub in Postgres for some days, by the minute. They are no read models."""
