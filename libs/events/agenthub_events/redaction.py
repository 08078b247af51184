"""Takes known secrets, and what looks like one, out of the log, of log lines and of what is shown outside.

What runs is what was said: nothing here touches the replies of a model, arguments of tools, files, or messages to
a model, but for known secrets in what a tool shows. `Draft.sealed` calls it once for each event that is made; an
event that is read is taken as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, unquote

import msgspec

MASK = "[redacted]"
REPLACEMENT = "\ufffd"
SHORTEST_SECRET = 8
"""Characters; what is shorter stands in ordinary texts too, and masking it would destroy them."""

T = TypeVar("T")
Change: TypeAlias = Callable[[str], str]

REFERENCE = re.compile(r"\[redacted:([0-9a-f]{64})\]")
"""What stands in an event for a text that is kept beside the log."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_HALVES = re.compile("[\ud800-\udfff]")
_LINE_MIN = 16
_LETTERS_MIN = 16
# Of a secret that was cut in two, so many characters tell something.
_HALF_MIN = 6
_CUT = re.compile(r"(\n\[\.\.\. \d+ (?:bytes|characters) cut[^\n]{0,60}\.\.\.\]\n)")


class KnownSecrets:
    """Secrets by value, masked wherever they stand. Its text form shows none of them; it never changes."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(values)
        self._forms = sorted({form for value in self._values for form in _forms(value)}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def __repr__(self) -> str:
        return f"KnownSecrets({len(self._values)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KnownSecrets) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values)

    def with_also(self, values: Iterable[str]) -> KnownSecrets:
        """These and `values`."""
        more = frozenset(values)
        return self if more <= self._values else KnownSecrets(self._values | more)

    def masked(self, text: str) -> str:
        """`text` with every known secret replaced; the very same object when there is none in it."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def masked_where_cut(self, text: str) -> str:
        """`masked`, and what a cut has left of a secret: at both ends of `text`, and beside a line about a cut.

        Fewer than six characters are left as they are.
        """
        if self._pattern is None:
            return text
        pieces = _CUT.split(self.masked(text))
        # Every second piece is the line between two others.
        return "".join(piece if n % 2 else self._without_halves(piece) for n, piece in enumerate(pieces))

    def _without_halves(self, piece: str) -> str:
        first = max((_overlap(form, piece) for form in self._forms), default=0)
        last = max((_overlap(piece, form) for form in self._forms), default=0)
        if first:
            piece = MASK + piece[first:]
        return piece[:-last] + MASK if last else piece

    def masked_bytes(self, data: bytes) -> bytes:
        """The same for output of programs. Bytes are changed only where a secret stands."""
        if self._pattern is None:
            return data
        text = data.decode("utf-8", "surrogateescape")
        return self.masked_where_cut(text).encode("utf-8", "surrogateescape")


NO_SECRETS = KnownSecrets()


def can_be_masked(value: str) -> bool:
    """Whether a credential that nobody chose for this can be told from ordinary words by its value alone."""
    return len(value) >= SHORTEST_SECRET and not (value.isalpha() and len(value) < _LETTERS_MIN)


def _overlap(left: str, right: str) -> int:
    """How many characters at the end of `left` are the beginning of `right`, not all of either; 0 for few."""
    longest = min(len(left), len(right)) - 1
    return next((size for size in range(longest, _HALF_MIN - 1, -1) if left.endswith(right[:size])), 0)


def _forms(value: str) -> list[str]:
    """A secret as it stands, as programs and shells spell it, and line by line: tools show numbered lines."""
    lines = [line.strip() for line in value.splitlines()] if "\n" in value.strip() else []
    whole = [value, value.strip(), unquote(value), quote(value, safe="")]
    # In JSON with and without letters beyond ASCII, in what Python prints of a text, and in a shell's quotes.
    escaped = [msgspec.json.encode(value).decode()[1:-1], json.dumps(value)[1:-1], repr(value)[1:-1]]
    quoted = [value.replace("'", inside) for inside in ("'\"'\"'", "'\\''")]
    return [form for form in (*whole, *escaped, *quoted) if len(form) >= SHORTEST_SECRET] + [
        line for line in lines if len(line) >= _LINE_MIN and not line.startswith("-----")
    ]


def as_shown(text: str) -> str:
    """`text` with a plain mask in the place of each reference: as people read it, and as long as it counts."""
    return REFERENCE.sub(MASK, text) if "[redacted:" in text else text


def redact_text(text: str, secrets: KnownSecrets = NO_SECRETS) -> str:
    """`text` with known secrets, and everything that looks like a credential, replaced by a mask.

    Characters that JSON or Postgres cannot hold (NUL, halves of surrogate pairs) are replaced as well.
    """
    return with_shapes_replaced(secrets.masked(storable(text)), lambda _: MASK)


def redact_bytes(data: bytes, secrets: KnownSecrets = NO_SECRETS) -> bytes:
    """The same for output of programs: UTF-8, what is none of it replaced."""
    return redact_text(data.decode("utf-8", "replace"), secrets).encode()


def storable(text: str) -> str:
    """`text` without the characters that JSON or Postgres cannot hold."""
    return _UNSTORABLE.sub(REPLACEMENT, text) if "\x00" in text or not text.isascii() else text


def encodable(text: str) -> str:
    """`text` without halves of surrogate pairs, which no UTF-8 can say; everything else stays."""
    return text if text.isascii() else _HALVES.sub(REPLACEMENT, text)


def with_shapes_replaced(text: str, replace: Change) -> str:
    """`text` with `replace` applied to everything in it that looks like a credential."""
    from agenthub_events.secret_shapes import find_shapes  # a command that only reads needs no table of shapes

    for found in reversed(find_shapes(text)):
        text = f"{text[: found.start]}{replace(text[found.start : found.end])}{text[found.end :]}"
    return text


def redact(value: T, secrets: KnownSecrets = NO_SECRETS) -> T:
    """`value` with the texts in it redacted; the very same object when there was nothing to hide."""
    return mapped(value, lambda text: redact_text(text, secrets))


def mapped(value: T, change: Change) -> T:
    """`value` with `change` applied to every text in it, keys too; the very same object when none changes.

    Texts are looked for in tuples, lists, dicts and structs, at any depth.
    """
    result: T = _mapped(value, change)
    return result


def _mapped(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, (tuple, list)):
        cleaned = [_mapped(item, change) for item in value]
        if all(new is old for new, old in zip(cleaned, value, strict=True)):
            return value
        return type(value)(cleaned)
    if isinstance(value, dict):
        fresh = {_mapped(key, change): _mapped(item, change) for key, item in value.items()}
        if all(key in fresh and fresh[key] is item for key, item in value.items()):
            return value
        return fresh
    if isinstance(value, msgspec.Struct):
        return _mapped_struct(value, change)
    return value


def _mapped_struct(struct: msgspec.Struct, change: Change) -> msgspec.Struct:
    changed = {}
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        # Most fields are empty, and events are made by the thousand.
        if value and (new := _mapped(value, change)) is not value:
            changed[name] = new
    return msgspec.structs.replace(struct, **changed) if changed else struct


def may_need_redaction(text: str, secrets: KnownSecrets = NO_SECRETS) -> bool:
    """Whether anything in a JSON text may have to be masked or replaced: False for nearly all."""
    from agenthub_events.secret_shapes import may_hold_shape

    return may_hold_shape(text) or "\\u0000" in text or secrets.masked(text) is not text
