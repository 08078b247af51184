"""The persistence module of the eventsourcing library, on the event log; no service uses it.

`PERSISTENCE_MODULE=agenthub_runtime.eventsourcing` makes the library find `JetStreamFactory` here: for those who
read the log with the library's own classes.
"""

from agenthub_runtime.eventsourcing.factory import JetStreamFactory

__all__ = ["JetStreamFactory"]
