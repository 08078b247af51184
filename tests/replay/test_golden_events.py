"""What was once written to a log can be read for ever, and means the same."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from agenthub_events.base import Event
from agenthub_events.catalogue import REGISTRY
from agenthub_events.serialization.codec import decode, encode
from agenthub_events.serialization.schema import json_schema
from agenthub_events.subjects import parse_subject
from tests.replay.golden import FOLDER, draft_of, path_of, read_samples

FILES = sorted(FOLDER.glob("*.json"))
SCHEMA = Draft202012Validator(json_schema())


def named(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_version_of_every_type_has_samples(name: str) -> None:
    versions = range(1, REGISTRY[name].class_version + 1)
    missing = [path_of(name, version).name for version in versions if not path_of(name, version).exists()]
    assert not missing, "run `python -m tests.replay.golden` and commit what it writes"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_sample_is_still_read_as_the_event_that_it_was(path: Path) -> None:
    name, _, version = path.stem.rpartition(".v")
    for sample in read_samples(path):
        event = decode(bytes(sample.body))
        assert isinstance(event, Event), event
        assert event.type == name
        draft = draft_of(sample, event)
        assert draft.subject == sample.subject
        assert draft.event_id == event.event_id == sample.event_id
        assert draft.sealed(event.timestamp, event.metadata) == event
        assert parse_subject(sample.subject).originator_id == event.originator_id
        if int(version) == REGISTRY[name].class_version:
            assert msgspec.json.decode(encode(event)) == msgspec.json.decode(sample.body)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_sample_fits_the_published_schema(path: Path) -> None:
    name, _, version = path.stem.rpartition(".v")
    if int(version) != REGISTRY[name].class_version:
        return
    for sample in read_samples(path):
        SCHEMA.validate(msgspec.json.decode(sample.body))


def test_no_sample_is_of_a_type_that_is_gone() -> None:
    assert {path.stem.rpartition(".v")[0] for path in FILES} <= set(REGISTRY)
