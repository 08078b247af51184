"""The event log on NATS JetStream, and the persistence module of the eventsourcing library on top of it.

`PERSISTENCE_MODULE=agenthub_runtime.eventsourcing` makes the library find `JetStreamFactory` here.
"""

from agenthub_runtime.eventsourcing.factory import JetStreamFactory
from agenthub_runtime.jetstream.event_log import JetStreamEventLog

__all__ = ["JetStreamEventLog", "JetStreamFactory"]
