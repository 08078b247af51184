"""What tells two requests apart under one key, in the form of this version and in those of earlier ones.

The log keeps the hash of each command's body. A field that a later version adds must not make a repetition of an
older request look like another one: so what stands at its default is no part of the hash, and the forms in which
earlier versions have hashed the same body are known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any, NamedTuple, TypeAlias

import msgspec

from agenthub_gateway.api.payloads.requests import ConstraintsBody, SubmitBody, TaskBody

_Fields: TypeAlias = frozenset[tuple[type[msgspec.Struct], str]]

# Earlier versions hashed every field that they knew. What each of them lacked, the latest first.
_SINCE_NETWORK: _Fields = frozenset({(ConstraintsBody, "network")})
_SINCE_CHECKS: _Fields = _SINCE_NETWORK | frozenset({(SubmitBody, "checks")})
_SINCE_SETUP: _Fields = _SINCE_CHECKS | frozenset({(SubmitBody, "setup")})
_SINCE_ADDRESSES: _Fields = _SINCE_SETUP | frozenset(
    {
        (SubmitBody, "ref"),
        (SubmitBody, "deliver"),
        (SubmitBody, "deliver_branch"),
        (ConstraintsBody, "min_coverage"),
        (ConstraintsBody, "security_audit"),
        (ConstraintsBody, "mutants"),
        (TaskBody, "changes_tests"),
    }
)
_SINCE_SECRETS: _Fields = frozenset({(SubmitBody, "secrets")})
_LACKED: tuple[_Fields, ...] = (_SINCE_CHECKS, _SINCE_SETUP, _SINCE_ADDRESSES, _SINCE_ADDRESSES | _SINCE_SECRETS)


class BodyHashes(NamedTuple):
    """`now`: under which a body is stored; `earlier`: under which older versions may have stored the same."""

    now: str
    earlier: tuple[str, ...] = ()


def hashes_of(body: msgspec.Struct) -> BodyHashes:
    """The hashes of a body, whatever its spacing and the order of its fields; defaults count for nothing."""
    now = _hash(_said(body))
    earlier = (_hash(form) for lacked in _LACKED if (form := _as_known(body, lacked)) is not None)
    return BodyHashes(now, tuple(dict.fromkeys(found for found in earlier if found != now)))


def _hash(form: object) -> str:
    return hashlib.sha256(msgspec.json.encode(form)).hexdigest()


def _said(value: Any) -> Any:
    """A body as what in it differs from its defaults, by name."""
    if isinstance(value, tuple):
        return [_said(item) for item in value]
    if not isinstance(value, msgspec.Struct):
        return value
    fields = msgspec.structs.fields(value)
    held = {field.encode_name: (getattr(value, field.name), field.default) for field in fields}
    return {name: _said(given) for name, (given, default) in sorted(held.items()) if given != default}


class _NotSayable(Exception):
    """The body says something that a version could not have been told."""


def _as_known(body: msgspec.Struct, lacked: Collection[tuple[type[msgspec.Struct], str]]) -> Any:
    """A body as a version wrote it that lacked these fields; None when one of them is used."""

    def form(value: Any) -> Any:
        if isinstance(value, tuple):
            return [form(item) for item in value]
        if not isinstance(value, msgspec.Struct):
            return value
        written = {}
        for field in msgspec.structs.fields(value):
            given = getattr(value, field.name)
            if (type(value), field.name) in lacked:
                if given != field.default:
                    raise _NotSayable
            elif given is not msgspec.UNSET:
                written[field.encode_name] = form(given)
        return written

    try:
        return form(body)
    except _NotSayable:
        return None
