"""The published JSON Schema."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from agenthub_events.base import Event
from agenthub_events.catalogue import REGISTRY
from agenthub_events.serialization.codec import encode
from agenthub_events.serialization.schema import json_schema
from tests.support.event_strategies import events
from tests.support.properties import untimed

# As it is published: JSON, not Python.
SCHEMA: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(json_schema()))
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_it_names_every_type_once() -> None:
    kinds = [SCHEMA["$defs"][ref["$ref"].rpartition("/")[2]] for ref in SCHEMA["oneOf"]]
    assert sorted(kind["properties"]["type"]["enum"][0] for kind in kinds) == sorted(REGISTRY)


def test_every_type_and_everything_in_it_is_described() -> None:
    assert not [name for name, definition in SCHEMA["$defs"].items() if not definition.get("description")]


@untimed
@given(events())
def test_every_event_fits_it(event: Event) -> None:
    VALIDATOR.validate(msgspec.json.decode(encode(event)))


@pytest.mark.parametrize(
    "body",
    [{"type": "goal.levitated"}, {"type": "goal.paused"}, {"type": "goal.paused", "by": 7}, {}, []],
)
def test_what_is_no_event_does_not_fit(body: Any) -> None:
    assert not VALIDATOR.is_valid(body)
