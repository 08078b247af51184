"""Values as Postgres can hold them: pure, so that a row is the same whenever it is made.

Events keep every value as it was said. Rows hold the nearest value that has a place in a column: a replacement
character for what is no text to Postgres, the largest number for one beyond it, a short name with a hash for a key
that an index cannot take.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

BIGINT_MAX = 2**63 - 1
REAL_MAX = sys.float_info.max
# An entry of an index must fit on a third of a page, with up to four keys in it and up to four bytes a character.
KEY_MAX = 128
DEPTH_MAX = 64
TOO_DEEP = "[...]"

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_LATEST = datetime.max.replace(tzinfo=UTC)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_HASH_KEPT = 16


def text(value: str) -> str:
    """A text without NUL and without halves of characters."""
    return _NO_TEXT.sub("\ufffd", value)


def key(value: str) -> str:
    """A text that an index takes: another text stays another key."""
    clean = text(value)
    if clean == value and len(value) <= KEY_MAX:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_KEPT]
    return f"{clean[: KEY_MAX - _HASH_KEPT - 1]}~{digest}"


def whole_number(value: int) -> int:
    """A number that fits bigint."""
    return max(-BIGINT_MAX, min(value, BIGINT_MAX))


def real_number(value: float) -> float:
    """A number that fits double precision and JSON; what is none is 0."""
    if value > REAL_MAX:
        return REAL_MAX
    if value < -REAL_MAX:
        return -REAL_MAX
    return 0.0 if math.isnan(value) else float(value)


def moment(value: datetime) -> datetime:
    """A time in UTC; one without a zone is taken for UTC, one beyond the calendar for the end of it."""
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return _LATEST if value.year > 1 else _EARLIEST


def document(value: Any) -> Any:
    """Anything that msgspec can encode, as plain values for jsonb."""
    return _plain(msgspec.to_builtins(value), DEPTH_MAX)


def _plain(value: Any, depth: int) -> Any:
    match value:
        case str():
            return text(value)
        case bool() | None:
            return value
        case int():
            return whole_number(value)
        case float():
            return real_number(value)
        case Mapping() if depth:
            return {text(str(name)): _plain(inner, depth - 1) for name, inner in value.items()}
        case Sequence() if depth:
            return [_plain(inner, depth - 1) for inner in value]
        case _:
            return TOO_DEEP
