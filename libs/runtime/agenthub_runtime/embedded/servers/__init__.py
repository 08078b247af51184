"""The servers that an embedded hub runs itself: nats-server and Postgres."""
