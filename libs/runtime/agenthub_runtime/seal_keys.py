"""Signatures of seals (Ed25519): who can write to the log and the objects, but lacks the key, can seal nothing.

A key of its own, not the one that the orchestrator shows to the bus: that one signs whatever a server asks it to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import msgspec

from agenthub_events.base import Draft
from agenthub_events.catalogue.goal import SealRecorded
from agenthub_events.ports import Stamp
from agenthub_events.serialization.codec import encode

KEY = "seal_key"
SIGNATURE = "seal_signature"
_HEX_KEY = re.compile(r"[0-9a-f]{64}")
_SIGNED = re.compile(rb'"seal_signature":"([0-9a-f]{128})"')
_UNSIGNED = b'"seal_signature":""'


def new_seal_key() -> str:
    """A fresh secret key: 32 bytes in hexadecimal."""
    return os.urandom(32).hex()


def is_seal_key(text: str) -> bool:
    """Whether this may be a key, secret or public."""
    return _HEX_KEY.fullmatch(text) is not None


def public_seal_key(key: str) -> str:
    """The half of a secret key that everybody may know. Raises `ValueError` when `key` is none."""
    from nacl.signing import SigningKey

    if not is_seal_key(key):
        raise ValueError("a seal key is 64 hexadecimal digits")
    return SigningKey(bytes.fromhex(key)).verify_key.encode().hex()


def with_seal_key(keys: Iterable[str], key: str) -> tuple[str, ...]:
    """The public half of `key`, then the public keys known so far: what older ones have signed stays good."""
    return tuple(dict.fromkeys((public_seal_key(key), *keys)))


def signed(draft: Draft, stamp: Stamp, key: str) -> Stamp:
    """The stamp with the signature of a seal; any other draft's, or without a `key`, as it is.

    Signed is the body as it will be stored, but for the signature in it.
    """
    if not key or not isinstance(draft.event, SealRecorded):
        return stamp
    from nacl.signing import SigningKey

    told = {**stamp.metadata, KEY: public_seal_key(key), SIGNATURE: ""}
    signature = SigningKey(bytes.fromhex(key)).sign(encode(draft.sealed(stamp.now, told))).signature
    return msgspec.structs.replace(stamp, metadata={**told, SIGNATURE: signature.hex()})


def is_signed_by(body: bytes, key: str) -> bool:
    """Whether the stored body of a seal carries a signature of this public key that fits it."""
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    found = _SIGNED.findall(body)
    if len(found) != 1 or not is_seal_key(key):
        return False
    try:
        VerifyKey(bytes.fromhex(key)).verify(_SIGNED.sub(_UNSIGNED, body), bytes.fromhex(found[0].decode()))
    except BadSignatureError:
        return False
    return True
