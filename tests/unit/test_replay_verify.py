"""A history that was changed is found out, and what was changed is named."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import msgspec
import pytest

from agenthub_events.catalogue.goal import SealRecorded
from agenthub_replay.errors import ExportUnreadable
from agenthub_replay.exported import open_export, read_export
from agenthub_replay.history import GoalHistory, StoredMessage
from agenthub_replay.verifying import verify
from tests.replay.goals import FOLDER, history_of

FILE = FOLDER / "0.1.0-price-vat.agenthub.gz"


@pytest.fixture(scope="module")
def history() -> GoalHistory:
    return history_of("0.1.0-price-vat")


def with_messages(history: GoalHistory, messages: Sequence[StoredMessage]) -> GoalHistory:
    return GoalHistory(history.goal_id, messages, history.step_messages, history.objects)


def last_sealed(history: GoalHistory) -> int:
    return max(r.event.up_to_seq for r in history.events if isinstance(r.event, SealRecorded))


def test_every_removed_event_is_named(history: GoalHistory) -> None:
    for number, lost in enumerate(history.messages):
        if lost.seq > last_sealed(history):
            break
        rest = [*history.messages[:number], *history.messages[number + 1 :]]
        flaws = verify(with_messages(history, rest)).flaws
        assert (lost.seq, lost.subject, "it was removed after it had been sealed") in [
            (flaw.seq, flaw.subject, flaw.what) for flaw in flaws
        ]


def test_every_flipped_bit_is_named(history: GoalHistory) -> None:
    for number, message in enumerate(history.messages):
        if message.seq > last_sealed(history):
            break
        place = (number * 37) % len(message.data)
        data = bytearray(message.data)
        data[place] ^= 1 << (number % 8)
        changed = msgspec.structs.replace(message, data=bytes(data))
        messages = [*history.messages[:number], changed, *history.messages[number + 1 :]]
        named = {flaw.seq for flaw in verify(with_messages(history, messages)).flaws if "changed" in flaw.what}
        assert named == {message.seq}


def test_an_event_that_was_put_in_is_named(history: GoalHistory) -> None:
    between = msgspec.structs.replace(history.messages[10], seq=history.messages[10].seq + 1)
    assert between.seq not in {message.seq for message in history.messages}
    messages = sorted([*history.messages, between], key=lambda message: message.seq)
    whats = {flaw.what.split(":")[0] for flaw in verify(with_messages(history, messages)).flaws}
    assert "it was put in after the seal" in whats


def test_a_gap_in_what_no_seal_covers_is_found_by_its_aggregate(history: GoalHistory) -> None:
    unsealed = [m for m in history.messages if not m.subject.endswith("seal.recorded")]
    lost = next(m for m in unsealed if m.subject.endswith("goal.planned"))
    flaws = verify(with_messages(history, [m for m in unsealed if m is not lost])).flaws
    assert any("goal was removed: it stood between" in flaw.what for flaw in flaws)


def test_two_events_that_changed_places_are_found(history: GoalHistory) -> None:
    one, two = history.messages[20], history.messages[21]
    swapped = [
        *history.messages[:20],
        msgspec.structs.replace(two, seq=one.seq),
        msgspec.structs.replace(one, seq=two.seq),
        *history.messages[22:],
    ]
    assert {one.seq, two.seq} <= {flaw.seq for flaw in verify(with_messages(history, swapped)).flaws}


def test_an_object_that_was_changed_is_named(history: GoalHistory) -> None:
    digest, data = next(iter(history.objects.items()))
    objects = {**history.objects, digest: data + b" "}
    changed = GoalHistory(history.goal_id, history.messages, history.step_messages, objects)
    assert [flaw.subject for flaw in verify(changed).flaws] == [digest]


def lines() -> list[bytes]:
    return gzip.decompress(FILE.read_bytes()).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("kind", "old", "new", "named"),
    [
        (b'"stream":"events"', b"price calculator", b"Price calculator", "event"),
        (b'"stream":"steps"', b"instance", b"Instance", "step"),
        (b'"line":"object"', b"I", b"J", "object"),
    ],
)
def test_a_line_of_a_file_that_was_changed_is_named(kind: bytes, old: bytes, new: bytes, named: str) -> None:
    changed = lines()
    number = next(n for n, line in enumerate(changed) if kind in line and old in line)
    before, _, after = changed[number].rpartition(old)
    changed[number] = before + new + after
    flaws = open_export(b"".join(changed)).flaws
    assert any(flaw.startswith(named) and "was changed" in flaw for flaw in flaws)
    with pytest.raises(ExportUnreadable, match="was changed"):
        read_export(b"".join(changed))


def test_a_line_that_was_taken_out_of_a_file_is_missed() -> None:
    whole = lines()
    flaws = open_export(b"".join([*whole[:12], *whole[13:]])).flaws
    assert any("its head says" in flaw for flaw in flaws)


@pytest.mark.parametrize("cut", [1, 100, 20_000])
def test_a_file_that_was_cut_off_is_told_from_a_whole_one(cut: int) -> None:
    assert open_export(FILE.read_bytes()[:-cut]).flaws


def test_a_flipped_bit_of_the_packed_file_is_noticed() -> None:
    data = FILE.read_bytes()
    for place in range(30_000, len(data), 4_999):
        changed = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
        opened = open_export(changed)
        assert opened.flaws or verify(opened.history).flaws, place


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"hello", gzip.compress(b"nothing", mtime=0), b"\x1f\x8b", b"PK\x03\x04"]
)
def test_a_file_that_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises(ExportUnreadable, match="no export of a goal"):
        open_export(data)


def test_a_file_of_a_newer_format_is_refused_with_the_release_that_wrote_it() -> None:
    head, *rest = lines()
    newer = head.replace(b'"format":1', b'"format":2').replace(b'"version":"0.1.0"', b'"version":"9.9"')
    with pytest.raises(ExportUnreadable, match=r"written by agenthub 9\.9"):
        open_export(newer + b"".join(rest))
