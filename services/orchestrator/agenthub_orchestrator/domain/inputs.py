"""What a decision was made from, as its events say it: enough to make the same decision again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from agenthub_orchestrator.domain.due import Fired
from agenthub_orchestrator.domain.policy import Policy

OBSERVED, DECIDED_AT, POLICY, FIRED, CODE = "observed_seq", "decided_at", "policy", "fired", "code"
"""The names in an event's metadata."""

_POLICY_ENCODER = msgspec.json.Encoder(order="deterministic")
_POLICY_DECODER = msgspec.json.Decoder(Policy)
_FIRED_DECODER = msgspec.json.Decoder(tuple[Fired, ...])


class DecisionInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that went into a decision beside the fold of the goal up to `observed_seq`.

    `now` is the orchestrator's clock, `fired` the timers and advisories that had fired and were not settled,
    `policy_ref` the digest of the policy's object, `code` the version of what decided. `now` is None and
    `policy_ref` and `code` are empty in events that were written before these were recorded.
    """

    observed_seq: int
    now: datetime | None = None
    fired: frozenset[Fired] = frozenset()
    policy_ref: str = ""
    code: str = ""


def to_metadata(inputs: DecisionInputs) -> dict[str, str]:
    """The inputs as texts for an event's metadata."""
    told = {OBSERVED: str(inputs.observed_seq), POLICY: inputs.policy_ref, CODE: inputs.code}
    if inputs.now is not None:
        told[DECIDED_AT] = inputs.now.isoformat()
    if inputs.fired:
        told[FIRED] = _encoded(inputs.fired)
    return told


def from_metadata(metadata: Mapping[str, str]) -> DecisionInputs | None:
    """The inputs that an event names; None when it names none, so no decider of ours has written it.

    Raises `ValueError` or `msgspec.DecodeError` for metadata that nobody of ours has written.
    """
    observed = metadata.get(OBSERVED)
    if not observed:
        return None
    decided_at = metadata.get(DECIDED_AT)
    fired = metadata.get(FIRED)
    return DecisionInputs(
        observed_seq=int(observed),
        now=datetime.fromisoformat(decided_at) if decided_at else None,
        fired=frozenset(_FIRED_DECODER.decode(fired)) if fired else frozenset(),
        policy_ref=metadata.get(POLICY, ""),
        code=metadata.get(CODE, ""),
    )


def encode_policy(policy: Policy) -> bytes:
    """Deterministic JSON: the same policy always has the same digest."""
    return _POLICY_ENCODER.encode(policy)


def decode_policy(data: bytes) -> Policy:
    """Read a policy's object. Raises `msgspec.DecodeError`."""
    return _POLICY_DECODER.decode(data)


def _encoded(fired: Iterable[Fired]) -> str:
    listed = sorted(fired, key=lambda timer: (timer.kind, timer.task_id, timer.ref))
    return msgspec.json.encode(listed).decode()
