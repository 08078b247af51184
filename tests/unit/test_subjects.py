"""Names on the bus."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.catalogue import REGISTRY
from agenthub_events.errors import InvalidSubject
from agenthub_events.subjects import (
    PLANNED_ID_MAX,
    aggregate_of,
    check_goal_id,
    check_task_id,
    event_id,
    filter_of,
    goal_id_for_key,
    goal_id_from_token,
    parse_subject,
    planned_task_id,
    subject_of,
    uuid5,
)
from tests.support.event_samples import GOAL, draft, merged, noted, paused
from tests.support.properties import untimed

TOKENS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)


@untimed
@given(TOKENS, TOKENS | st.just("_"), st.sampled_from(sorted(REGISTRY)), st.lists(TOKENS, max_size=2))
def test_a_subject_is_taken_apart_into_what_it_was_made_of(
    goal_id: str, task_id: str, event_type: str, route: list[str]
) -> None:
    parsed = parse_subject(subject_of(goal_id, task_id, event_type, *route))
    assert parsed == (goal_id, task_id, event_type, tuple(route))
    assert parsed.originator_id == aggregate_of(goal_id, task_id, event_type)


@untimed
@given(TOKENS, TOKENS | st.just("_"), st.sampled_from(sorted(REGISTRY)))
def test_the_filter_of_an_aggregate_covers_its_subjects(goal_id: str, task_id: str, event_type: str) -> None:
    fence = filter_of(aggregate_of(goal_id, task_id, event_type))
    assert subject_of(goal_id, task_id, event_type).startswith(fence.removesuffix(">"))


@pytest.mark.parametrize(
    "subject", ["", "evt", "evt.g.t.task", "run.g.t.task.noted", "evt.g..task.noted", "evt.g.t.task.noted."]
)
def test_what_is_no_subject_of_the_log_is_refused(subject: str) -> None:
    with pytest.raises(InvalidSubject, match="expected evt"):
        parse_subject(subject)


def test_a_task_is_one_aggregate_and_each_family_of_a_goal_is_one() -> None:
    assert draft(noted(), task_id="t-a").originator_id == f"{GOAL}.t-a"
    assert draft(paused()).originator_id == f"{GOAL}._.goal"
    assert draft(merged()).originator_id == f"{GOAL}._.merge"


def test_ids_are_version_five_uuids_of_what_the_event_is() -> None:
    namespace = uuid.UUID("7b0d5a0e-5f4b-5d0c-9a8f-3c7e21a9d4e6")
    assert event_id("g.t", "task.noted", "7") == str(uuid.uuid5(namespace, "g.t|task.noted|7"))


def test_ids_stay_as_they_are_in_logs() -> None:
    assert uuid5("") == "b7f1d618-3c99-5863-acd5-57226ab6a946"
    assert uuid5("ä✓") == "7d3c5d37-eed8-5a60-be54-e2bd60bd22b8"
    assert event_id("g-1.t-a", "task.noted", "7") == "974230c2-3c7d-5201-94bc-6a293f6cdc35"
    assert goal_id_for_key("ada", "k1") == "g-70r39d7f6ebp08tyw0yv6mqv09"


def test_an_id_changes_with_the_aggregate_the_type_and_the_ordinal_alone() -> None:
    ids = {event_id(a, t, o) for a in ("g.t", "g.u") for t in ("task.noted", "task.failed") for o in ("1", "2")}
    assert len(ids) == 8
    one = draft(noted("first"), "1", task_id="t-a", expected=0, version=1)
    two = draft(noted("second"), "1", task_id="t-a", expected=9, version=5)
    assert one.event_id == two.event_id


def test_the_same_key_means_the_same_goal_and_another_key_another() -> None:
    assert goal_id_for_key("ada", "k1") == goal_id_for_key("ada", "k1")
    assert len({goal_id_for_key(who, key) for who in ("ada", "bob") for key in ("k1", "k2")}) == 4


@untimed
@given(st.text(max_size=30), st.text(max_size=30))
def test_every_key_makes_a_valid_goal_id(principal: str, key: str) -> None:
    try:
        (principal + key).encode()
    except UnicodeEncodeError:
        return
    assert check_goal_id(goal_id_for_key(principal, key))


def test_a_goal_id_is_g_and_26_characters() -> None:
    assert goal_id_from_token("0" * 26) == "g-" + "0" * 26
    for wrong in ("", "0" * 25, "0" * 27, "0" * 25 + ".", "A" * 26, "0" * 26 + "\n"):
        with pytest.raises(InvalidSubject):
            goal_id_from_token(wrong)


@untimed
@given(st.text(max_size=100))
def test_a_key_of_a_plan_makes_a_valid_task_id_or_is_refused(key: str) -> None:
    try:
        task_id = planned_task_id(key)
    except InvalidSubject:
        assert not any(character.isascii() and character.isalnum() for character in key.lower())
        return
    assert check_task_id(task_id) == task_id
    assert task_id.startswith("t-")
    assert len(task_id) <= PLANNED_ID_MAX
    assert not task_id.endswith("-")


def test_a_key_becomes_a_slug() -> None:
    assert planned_task_id("Implement JWT (v2)!") == "t-implement-jwt-v2"


@pytest.mark.parametrize("task_id", ["", "-a", "T-a", "t.a", "t a", "a" * 65, "t-a\n"])
def test_what_is_no_task_id_is_refused(task_id: str) -> None:
    with pytest.raises(InvalidSubject):
        check_task_id(task_id)
