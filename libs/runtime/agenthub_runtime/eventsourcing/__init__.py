"""The persistence module of the eventsourcing library, on the event log.

`PERSISTENCE_MODULE=agenthub_runtime.eventsourcing` makes the library find `JetStreamFactory` here. For those who read the log with the library, replay it or test against it. No service uses it.
"""

from agenthub_runtime.eventsourcing.factory import JetStreamFactory

__all__ = ["JetStreamFactory"]
