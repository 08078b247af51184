"""The event log on NATS JetStream, and the persistence module of the eventsourcing library on top of it.

`PERSISTENCE_MODULE=agenthub_events.jetstream` makes the library find `JetStreamFactory` here.
"""

from agenthub_events.jetstream.factory import JetStreamFactory
from agenthub_events.jetstream.store import JetStreamStore

__all__ = ["JetStreamFactory", "JetStreamStore"]
