"""Whatever tells events apart by their class says of each whether it takes it in: none can be forgotten."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import msgspec
import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue import REGISTRY
from agenthub_events.rules import goal_aggregate
from agenthub_events.serialization.codec import decode
from agenthub_orchestrator.domain.state import goal_fold, task_fold
from agenthub_orchestrator.projector import on_goal, on_task, view
from agenthub_runtime.timeline import phrases
from tests.replay.golden import GOAL, path_of, read_samples

EVERY = frozenset(REGISTRY.values())
TABLES: dict[str, tuple[AbstractSet[type[Event]], AbstractSet[type[Event]]]] = {
    "goal as a whole": (goal_fold._FOLDS.keys(), goal_fold.IGNORED),
    "task": (task_fold._FOLDS.keys(), task_fold.IGNORED),
    "rows": (view.HANDLERS.keys(), view.IGNORED),
    "story": (phrases.WORDS.keys(), phrases.IGNORED),
}


@pytest.mark.parametrize("table", TABLES)
def test_every_event_is_taken_in_or_named_as_ignored(table: str) -> None:
    taken, ignored = TABLES[table]
    assert taken | ignored == EVERY
    assert not taken & ignored


def test_no_event_has_two_handlers_for_the_rows() -> None:
    assert not on_goal.HANDLERS.keys() & on_task.HANDLERS.keys()


def test_every_event_of_a_goals_own_family_moves_its_life_or_is_named_as_ignored() -> None:
    own = {kind for name, kind in REGISTRY.items() if name.startswith("goal.")}
    assert own > goal_aggregate.IGNORED
    assert {kind for kind in own if not moves_life(kind)} == goal_aggregate.IGNORED


def moves_life(kind: type[Event]) -> bool:
    name = str(kind.__struct_config__.tag)
    event = decode(bytes(read_samples(path_of(name, kind.class_version))[0].body))
    assert isinstance(event, kind)
    # In no field what an event of the samples says.
    aggregate = msgspec.structs.replace(
        goal_aggregate.initial(GOAL), paused=True, priority="low", max_llm_calls=0, max_cost_usd=0.0
    )
    told = goal_aggregate.evolve(aggregate, 1, event)
    return told != msgspec.structs.replace(aggregate, fence=told.fence, seen=told.seen)
