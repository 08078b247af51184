"""Seals are signed: what was changed under one, taken away or made by another hand is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agenthub_events.base import Draft, Fence
from agenthub_events.catalogue.goal import GoalCompleted, GoalReadyForReview, SealRecorded
from agenthub_events.ports import Stamp
from agenthub_events.redaction import KnownSecrets
from agenthub_events.serialization.codec import encode
from agenthub_replay.exported import export, open_export
from agenthub_replay.history import GoalHistory, StoredMessage
from agenthub_replay.verifying import verify
from agenthub_runtime.bus_users.env_file import completed
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.seal_keys import is_signed_by, new_seal_key, public_seal_key, signed
from agenthub_runtime.settings.credentials import credentials_in
from tests.replay.goals import history_of

OWN, FOREIGN = "11" * 32, "22" * 32
PUBLIC = public_seal_key(OWN)
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def draft(seal: SealRecorded, goal_id: str, ordinal: str, expected: int = 0, version: int = 1) -> Draft:
    return Fence(expected, version - 1).draft(goal_id, "_", seal, ordinal)


def sealed_by(history: GoalHistory, key: str, known: tuple[str, ...] = (PUBLIC,)) -> GoalHistory:
    """The same goal with its last seal as the orchestrator that holds `key` writes it."""
    recorded = next(r for r in reversed(history.events) if isinstance(r.event, SealRecorded))
    seal = recorded.event
    assert isinstance(seal, SealRecorded)
    again = draft(
        msgspec.structs.replace(seal, metadata={}),
        history.goal_id,
        str(seal.up_to_seq),
        version=seal.originator_version,
    )
    told = {name: text for name, text in seal.metadata.items() if not name.startswith("seal_")}
    stamp = signed(again, Stamp(now=seal.timestamp, metadata=told), key)
    body = encode(again.sealed(stamp.now, stamp.metadata))
    messages = [
        msgspec.structs.replace(message, data=body) if message.seq == recorded.seq else message
        for message in history.messages
    ]
    return GoalHistory(history.goal_id, messages, history.step_messages, history.objects, known)


@pytest.fixture(scope="module")
def history() -> GoalHistory:
    return sealed_by(history_of("0.1.0-price-vat"), OWN)


def seal_of(history: GoalHistory) -> StoredMessage:
    return next(m for m in reversed(history.messages) if m.subject.endswith("seal.recorded"))


def with_messages(history: GoalHistory, change: Callable[[StoredMessage], StoredMessage | None]) -> GoalHistory:
    messages = [changed for message in history.messages if (changed := change(message)) is not None]
    return GoalHistory(history.goal_id, messages, history.step_messages, history.objects, history.seal_keys)


def whats(history: GoalHistory) -> list[tuple[int, str]]:
    return [(flaw.seq, flaw.what) for flaw in verify(history).flaws]


def test_a_signed_goal_is_whole_and_tells_whose_key_it_was(history: GoalHistory) -> None:
    found = verify(history)
    assert (found.flaws, found.signed_by, found.unsigned) == ((), (PUBLIC,), 0)


def test_every_flipped_bit_of_a_seal_itself_is_named(history: GoalHistory) -> None:
    seal = seal_of(history)
    for place in range(len(seal.data)):
        data = bytearray(seal.data)
        data[place] ^= 1 << (place % 7)
        changed = msgspec.structs.replace(seal, data=bytes(data))
        flaws = verify(with_messages(history, lambda m, c=changed: c if m.seq == c.seq else m)).flaws  # type: ignore[misc]
        assert flaws, (place, bytes(data))


def test_a_forger_who_writes_log_and_objects_alike_is_found_out(history: GoalHistory) -> None:
    """All lines hash as the seal says, but it is signed by nobody, or by a key of the forger's own."""
    seal = seal_of(history)
    by_another = sealed_by(history, FOREIGN)
    assert whats(by_another) == [
        (seal.seq, f"the seal is signed by {public_seal_key(FOREIGN)}, which is no key of this hub's orchestrator")
    ]
    [(seq, what)] = whats(sealed_by(history, ""))
    assert (seq, what.partition(":")[0]) == (seal.seq, "the seal is not signed")
    claimed = seal_of(by_another).data.replace(public_seal_key(FOREIGN).encode(), PUBLIC.encode())
    [(seq, what)] = whats(
        with_messages(history, lambda m: msgspec.structs.replace(m, data=claimed) if m.seq == seal.seq else m)
    )
    assert (seq, what.partition(":")[0]) == (seal.seq, "its signature does not fit")


def test_a_seal_that_was_taken_away_is_missed(history: GoalHistory) -> None:
    offer = [r.seq for r in history.events if isinstance(r.event, GoalReadyForReview)][-1]
    assert any(isinstance(r.event, GoalCompleted) for r in history.events)
    bare = with_messages(history, lambda m: None if m.subject.endswith("seal.recorded") else m)
    assert (offer, "it was offered for review, and its seal is gone") in whats(bare)


def test_a_seal_of_another_goal_does_not_fit_here(history: GoalHistory) -> None:
    other = history_of("0.1.0-price-vat")
    seal = SealRecorded(up_to_seq=1, messages=1, sha256="0" * 64)
    foreign = draft(seal, "g-01jd0000000000000000000000", "1")
    stamp = signed(foreign, Stamp(now=NOW, metadata={}), OWN)
    body = encode(foreign.sealed(NOW, stamp.metadata))
    assert is_signed_by(body, PUBLIC)
    assert not is_signed_by(body.replace(b"g-01jd0000000000000000000000", other.goal_id.encode()), PUBLIC)


def test_an_unsigned_goal_of_an_earlier_release_is_whole_where_no_key_is_known() -> None:
    found = verify(history_of("0.1.0-price-vat"))
    assert (found.flaws, found.signed_by, found.unsigned > 0) == ((), (), True)
    assert verify(history_of("0.1.0-price-vat"), [PUBLIC]).flaws


def test_a_file_carries_the_public_keys_and_a_reader_may_bring_others(history: GoalHistory) -> None:
    opened = open_export(export(history, version="0.1.0"))
    assert (opened.history.seal_keys, verify(opened.history).flaws) == ((PUBLIC,), ())
    assert OWN.encode() not in export(history, version="0.1.0")
    assert "which is no key" in verify(opened.history, [public_seal_key(FOREIGN)]).flaws[0].what


@pytest.mark.parametrize("count", [0, 1, 2])
def test_redaction_leaves_signatures_as_they_are(count: int) -> None:
    made = draft(SealRecorded(up_to_seq=9, messages=9, sha256="ab" * 32), "g-01jd0000000000000000000000", "9")
    for _ in range(20):
        key = new_seal_key()
        stamp = signed(made, Stamp(now=NOW, metadata={"actor": "orchestrator"}), key)
        secrets = KnownSecrets([key, "something else"][:count])
        assert is_signed_by(encode(made.sealed(NOW, stamp.metadata, secrets)), public_seal_key(key))


@pytest.mark.parametrize("key", ["", "11", "zz" * 32, "AA" * 32, "0" * 63, "0" * 65, "SU" + "A" * 56])
def test_what_is_no_key_signs_and_verifies_nothing(key: str) -> None:
    assert not is_signed_by(b'{"metadata":{"seal_signature":"' + b"0" * 128 + b'"}}', key)
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        public_seal_key(key)


@pytest.mark.parametrize("key", ["00" * 32, "01" + "00" * 31, "ff" * 32, "ec" + "ff" * 30 + "7f"])
def test_a_weak_public_key_verifies_nothing(key: str) -> None:
    body = b'{"metadata":{"seal_signature":"%s"}}'
    for signature in ("00" * 64, "01" + "00" * 63, key + "00" * 32):
        assert not is_signed_by(body % signature.encode(), key)


def test_new_keys_of_a_folder_leave_what_the_old_ones_have_signed_good(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "hub")
    data.prepare()
    before = data.secrets
    assert before.seal_keys == (public_seal_key(before.seal_key),)
    assert before.seal_key in before.all()
    data.rotate_keys(["worker-coding"])
    assert data.secrets.seal_key == before.seal_key
    data.rotate_keys()
    after = DataDir(tmp_path / "hub").secrets
    assert after.seal_keys == (public_seal_key(after.seal_key), *before.seal_keys)
    assert after.seal_key != before.seal_key


def test_a_file_of_variables_keeps_the_old_public_keys() -> None:
    def found(text: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in text.splitlines())

    first = completed("OTHER=1\n")[0]
    assert completed(first)[0] == first
    one, two = found(first), found(completed(first, rotate=True)[0])
    assert one["AGENTHUB_SEAL_KEYS"] == public_seal_key(one["AGENTHUB_SEAL_KEY"])
    assert two["AGENTHUB_SEAL_KEYS"].split(",") == [
        public_seal_key(two["AGENTHUB_SEAL_KEY"]),
        one["AGENTHUB_SEAL_KEYS"],
    ]
    assert credentials_in(one)[-1:] == (one["AGENTHUB_SEAL_KEY"],)
