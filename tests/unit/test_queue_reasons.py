"""Why orders wait, as the gateway tells it: nobody serves them, a drained worker, or people hold them back."""

from __future__ import annotations

import pytest

from agenthub_gateway.queues import QueueView, unserved_types


def lane(name: str, *, workers: int = 0, paused: str = "", problem: str = "", held: int = 0) -> QueueView:
    return QueueView(
        agent_type="coding",
        lane=name,
        waiting=1,
        held=held,
        workers=workers,
        pulls=0,
        problem=problem,
        paused=paused,
    )


@pytest.mark.parametrize(
    ("lanes", "words"),
    [
        ((lane("p0", workers=1), lane("p1", workers=1)), None),
        ((lane("p0"), lane("p1")), "no running worker serves `coding`"),
        ((lane("p0", problem="Worker-1 is being drained"),), "Worker-1 is being drained"),
        (
            (lane("p0", paused="maintenance", workers=1), lane("p1", paused="maintenance", workers=1)),
            "maintenance",
        ),
        # Held and not served: the first thing to do is to end the hold.
        ((lane("p0", paused="maintenance"), lane("p1", paused="maintenance")), "maintenance"),
        # One lane by hand: the others go on.
        ((lane("p0", workers=1), lane("p1", paused="paused on the bus", workers=1)), None),
        ((lane("p0", held=1), lane("p1")), None),
    ],
)
def test_the_reason_is_that_of_the_type_as_a_whole(lanes: tuple[QueueView, ...], words: str | None) -> None:
    told = unserved_types(lanes)
    assert (words in told["coding"]) if words else told == {}
