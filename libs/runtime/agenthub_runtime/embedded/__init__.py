"""The embedded stack: NATS, Postgres and the services as supervised children of one process."""
