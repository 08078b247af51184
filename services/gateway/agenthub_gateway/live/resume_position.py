"""Where a listener wants to begin: `<generation>:<sequence>` of a frame that it has, or a sequence, or now."""

from __future__ import annotations

from agenthub_events.errors import InvalidInput
from agenthub_gateway.live.broadcaster import Broadcaster
from agenthub_gateway.live.frames import Frame, reset_frame


def frame_id(generation: str, sequence: int) -> str:
    """The id of an event's frame; a listener that comes back gives it."""
    return f"{generation}:{sequence}"


async def starting_place(
    feed: Broadcaster, *, last_event_id: str | None, from_sequence: int | None
) -> tuple[int, str, Frame | None]:
    """Where to begin: a sequence, the log's generation, and a reset frame when the place is not in this log.

    Raises `InvalidInput` and `StoreUnavailable`.
    """
    generation = await feed.generation()
    newest = await feed.log.last_seq()
    if last_event_id:
        known, place = _parsed(last_event_id)
        if known != generation:
            return newest, generation, reset_frame(generation, newest, "this is another log than before")
    elif from_sequence is not None:
        place = from_sequence
    else:
        return newest, generation, None
    if place > newest:
        return newest, generation, reset_frame(generation, newest, "the log is shorter than your place in it")
    return place, generation, None


def _parsed(text: str) -> tuple[str, int]:
    generation, _, place = text.rpartition(":")
    if not generation or not place.isdecimal() or len(place) > 18:
        raise InvalidInput(
            f"`{text[:60]}` is no id of a frame: expected `<generation>:<sequence>`", field="Last-Event-ID"
        )
    return generation, int(place)
