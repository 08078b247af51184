"""Bytes to events and back; nothing that lies in a log may raise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.base import Event
from agenthub_events.catalogue import REGISTRY
from agenthub_events.catalogue.goal import GoalPaused
from agenthub_events.redaction import mapped, storable
from agenthub_events.serialization.codec import Unreadable, decode, encode
from agenthub_events.serialization.upcasters import Upcaster
from tests.support.event_strategies import events
from tests.support.properties import untimed


@untimed
@given(events())
def test_every_event_comes_back_as_it_went(event: Event) -> None:
    assert decode(encode(event)) == mapped(event, storable)


@untimed
@given(st.binary(max_size=200))
def test_any_bytes_give_an_event_or_unreadable_with_the_bytes(data: bytes) -> None:
    result = decode(data)
    assert isinstance(result, Event) or (result.data == data and result.reason)


@untimed
@given(events(), st.data())
def test_a_body_cut_anywhere_is_unreadable(event: Event, data: st.DataObject) -> None:
    body = encode(event)
    cut = data.draw(st.integers(0, len(body) - 1))
    assert isinstance(decode(body[:cut]), Unreadable)


@untimed
@given(st.sampled_from(sorted(REGISTRY)), st.dictionaries(st.text(max_size=8), st.none() | st.integers()))
def test_a_body_of_a_known_type_with_strange_fields_never_raises(name: str, fields: dict[str, Any]) -> None:
    result = decode(msgspec.json.encode({**fields, "type": name}))
    assert isinstance(result, Event | Unreadable)
    assert isinstance(result, Event) or result.type == name


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_endless_nesting_is_unreadable(opening: bytes) -> None:
    deep = opening * 200_000
    assert isinstance(decode(deep), Unreadable)
    assert isinstance(decode(b'{"type":"goal.paused","by":"a","metadata":' + deep), Unreadable)


def test_a_field_that_this_code_does_not_know_is_passed_over() -> None:
    assert decode(b'{"type":"goal.paused","by":"ada","mood":"good"}') == GoalPaused(by="ada")


def test_a_field_that_is_not_there_has_its_default() -> None:
    assert decode(b'{"type":"goal.paused","by":"ada"}') == GoalPaused(by="ada", reason="")


def test_a_body_is_read_as_it_stands() -> None:
    event = decode(b'{"type":"goal.paused","by":"ada","reason":"sk-ant-abcdefgh12345678"}')
    assert event == GoalPaused(by="ada", reason="sk-ant-abcdefgh12345678")


def test_what_no_table_can_hold_is_replaced_in_a_foreign_body() -> None:
    event = decode(rb'{"type":"goal.paused","by":"ada","reason":"a\u0000b","metadata":{"actor":"\u0000"}}')
    assert event == GoalPaused(by="ada", reason="a\ufffdb", metadata={"actor": "\ufffd"})
    six = decode(rb'{"type":"goal.paused","by":"ada","reason":"a\\u0000b"}')
    assert six == GoalPaused(by="ada", reason=r"a\u0000b"), "six characters are six characters"


class Moved(Event, frozen=True, kw_only=True, tag="goal.paused"):
    """A third version of an event, for these tests."""

    class_version = 3

    person: str


KINDS: dict[str, type[Event]] = {**REGISTRY, "goal.paused": Moved}
STEPS: dict[tuple[str, int], Upcaster] = {
    ("goal.paused", 1): lambda body: {**body, "who": body["by"]},
    ("goal.paused", 2): lambda body: {**body, "person": body["who"].title()},
}


def decode_third(data: bytes) -> Event | Unreadable:
    return decode(data, kinds=KINDS, steps=STEPS)


def test_old_bodies_take_every_step_up_to_this_version() -> None:
    assert decode_third(b'{"type":"goal.paused","by":"ada"}') == Moved(person="Ada")
    assert decode_third(b'{"type":"goal.paused","class_version":2,"who":"bob"}') == Moved(person="Bob")


def test_a_body_says_its_version_once_that_is_more_than_one() -> None:
    body = encode(Moved(person="Eve"))
    assert msgspec.json.decode(body)["class_version"] == 3
    assert decode_third(body) == Moved(person="Eve")


def test_an_old_body_that_a_step_cannot_read_is_unreadable() -> None:
    result = decode_third(b'{"type":"goal.paused"}')
    assert isinstance(result, Unreadable)
    assert "does not fit" in result.reason


def test_a_version_from_the_future_is_unreadable() -> None:
    result = decode(b'{"type":"goal.paused","class_version":2,"by":"ada"}')
    assert isinstance(result, Unreadable)
    assert "newer than this code" in result.reason
