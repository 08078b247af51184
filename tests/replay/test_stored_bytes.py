"""Stored bytes are held: samples of events, and what the server is declared to be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from agenthub_events.base import Event
from agenthub_events.serialization.codec import decode, encode
from tests.replay.golden import FOLDER, read_samples

ROOT = Path(__file__).resolve().parents[2]
SUMS = FOLDER.parent / "SHA256SUMS"
"""As `sha256sum` writes it. A line changes on purpose alone; a new file adds one."""


def listed() -> dict[str, str]:
    lines = SUMS.read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


@pytest.mark.parametrize("name", sorted(listed()))
def test_a_file_that_others_rely_on_has_not_changed(name: str) -> None:
    assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == listed()[name]


def test_every_such_file_is_listed() -> None:
    there = [path for folder in (FOLDER, ROOT / "nats") for path in folder.rglob("*") if path.is_file()]
    assert {str(path.relative_to(ROOT)) for path in there} == set(listed())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_an_event_is_written_in_the_bytes_of_its_sample(path: Path) -> None:
    for sample in read_samples(path):
        event = decode(bytes(sample.body))
        assert isinstance(event, Event), event
        if event.class_version == int(path.stem.rpartition(".v")[2]):
            assert encode(event) == msgspec.json.format(bytes(sample.body), indent=-1)
