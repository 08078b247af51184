"""The hub's events as the stored events of the eventsourcing library."""

from __future__ import annotations

from typing import Any, cast

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, MapperDeserialisationError, ProgrammingError, StoredEvent, Transcoder

from agenthub_events.base import Event
from agenthub_events.serialization.codec import Unreadable, decode, encode


class HubMapper(Mapper[str]):
    """Maps by the closed registry of the catalogue; nothing that a message names is ever imported.

    The state of a stored event is the body of its message. Bodies are plain JSON for every NATS client, so a
    compressor or a cipher has no place: configuring one raises `ProgrammingError`.
    """

    def __init__(self, transcoder: Transcoder, compressor: Any = None, cipher: Any = None) -> None:
        if compressor is not None or cipher is not None:
            raise ProgrammingError(
                "The hub's events are plain JSON: unset COMPRESSOR_TOPIC, CIPHER_TOPIC and CIPHER_KEY"
            )
        super().__init__(transcoder)

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """The stored form of an event of the catalogue, which has its envelope already."""
        event = cast(Event, domain_event)
        return StoredEvent(event.originator_id, event.originator_version, event.type, encode(event))

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """The event of the catalogue. Raises `MapperDeserialisationError` when this code cannot read it."""
        event = decode(stored_event.state)
        if isinstance(event, Unreadable):
            raise MapperDeserialisationError(
                f"Event {stored_event.originator_version} of `{stored_event.originator_id}`: {event.reason}"
            )
        return cast(DomainEventProtocol[str], event)
