"""A text file as the file tools show it, and edits of it that leave every other byte as it was.

What is shown is the file's text with each line's end as `\\n`, whatever it is in the file, and otherwise as it is.
An edit names shown text. Only what differs is written anew, in the file's encoding and with the line ends of the
place.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple, Self

import msgspec

from agenthub_worker.errors import ToolRefused

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The encoding that a source file names in its first two lines, as PEP 263 and editors have it.
_NAMED = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*(?:#|//|/\*|\"|--|;|%)[^\n]*?coding[:=][ \t]*([-\w.]+)")
_SINGLE_BYTE = ("cp1252", "latin-1")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_CONTROLS_IN_TEXT = 0.02
_END_NAMES = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}


class TextLine(NamedTuple):
    """A line and its end, which is empty at most for the last one."""

    body: str
    end: str


class Place(NamedTuple):
    """Where a text stands in the shown text of a file, and the form in which it stands there."""

    start: int
    text: str


class TextFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a file. `mark` is its byte order mark."""

    lines: tuple[TextLine, ...]
    encoding: str = "utf-8"
    mark: bytes = b""

    @classmethod
    def read(cls, data: bytes, path: str) -> Self:
        """The text of `data`, if its bytes can be made of that text again. Raises `ToolRefused`."""
        for mark, encoding in _MARKS:
            if data.startswith(mark) and (raw := _decoded(data[len(mark) :], encoding)) is not None:
                return cls(lines=_split(raw), encoding=encoding, mark=mark)
        for encoding in _candidates(data):
            if (raw := _decoded(data, encoding)) is not None:
                return cls(lines=_split(raw), encoding=encoding)
        raise ToolRefused(f"`{path}` is not text: use a command to look at it.")

    def data(self) -> bytes:
        """The bytes of the file. Raises `ToolRefused` for a character that its encoding does not have."""
        raw = "".join(body + end for body, end in self.lines)
        try:
            return self.mark + raw.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise ToolRefused(
                f"The file is in {self.encoding}, which has no {raw[error.start : error.end][:20]!r}: write it in"
                " another way, or convert the file to UTF-8 first, with a command such as `iconv`."
            ) from None

    @property
    def shown(self) -> str:
        """The text in which edits look."""
        return "".join(f"{body}\n" if end else body for body, end in self.lines)

    @property
    def line_end(self) -> str:
        """The end that most lines have; `\\n` where there is none."""
        ends = [line.end for line in self.lines]
        return max(_END_NAMES, key=ends.count)

    @property
    def note(self) -> str:
        """What is not ordinary about the file, in words; empty for UTF-8 with one kind of line end, `\\n`."""
        marked = " with a byte order mark" if self.mark else ""
        told = [f"encoding {self.encoding}{marked}"] if marked or self.encoding != "utf-8" else []
        ends = {line.end for line in self.lines} - {""}
        if ends - {"\n"}:
            told.append(f"line ends {' and '.join(sorted(_END_NAMES[end] for end in ends))}")
        return ", ".join(told)

    def find(self, old: str) -> list[Place]:
        """Where `old` stands in the shown text, overlapping places too; its line ends stand for the file's."""
        shown = self.shown
        for form in (old, self._with_shown_ends(old)):
            if found := [Place(start, form) for start in _occurrences(shown, form)]:
                return found
        return []

    def replaced(self, place: Place, new: str) -> Self:
        """The file with `new` at a place that `find` gave; what both have in common keeps its bytes."""
        old = place.text
        wanted = new if "\r\n" in old else self._with_shown_ends(new)
        head = _common(old, wanted)
        tail = _common(old[head:][::-1], wanted[head:][::-1])
        return self._spliced(place.start + head, place.start + len(old) - tail, wanted[head : len(wanted) - tail])

    def inserted(self, line: int, text: str) -> Self:
        """The file with `text` as lines of its own after line `line` (0: at the start)."""
        text = self._with_shown_ends(text)
        text = text if text.endswith("\n") else f"{text}\n"
        near = self.lines[max(0, line - 1) : line + 1]
        end = next((known.end for known in near if known.end), self.line_end)
        before = list(self.lines[:line])
        if before and not before[-1].end:
            before[-1] = TextLine(before[-1].body, end)
        fresh = (TextLine(body, end) for body in text.split("\n")[:-1])
        return msgspec.structs.replace(self, lines=(*before, *fresh, *self.lines[line:]))

    def _with_shown_ends(self, text: str) -> str:
        text = text.replace("\r\n", "\n")
        return text.replace("\r", "\n") if self.line_end == "\r" else text

    def _spliced(self, start: int, stop: int, text: str) -> Self:
        """Put `text` in the place of a part of the shown text, its lines ended as those around it."""
        first, column = self._line_at(start)
        last, after = self._line_at(stop)
        near = self.lines[max(0, first - 1) : first + 1][:: -1 if column else 1]
        end = next((known.end for known in near if known.end), self.line_end)
        head = self.lines[first].body[:column] if first < len(self.lines) else ""
        rest = self.lines[last] if last < len(self.lines) else TextLine("", "")
        parts = f"{head}{text}".split("\n")
        lines = [TextLine(body, end) for body in parts[:-1]]
        joined = TextLine(parts[-1] + rest.body[after:], rest.end)
        whole = (*self.lines[:first], *lines, joined, *self.lines[last + 1 :])
        return msgspec.structs.replace(self, lines=whole if joined != ("", "") else whole[:-1])

    def _line_at(self, place: int) -> tuple[int, int]:
        """The number, from 0, of the line at a place of the shown text, and the column in it."""
        for number, (body, end) in enumerate(self.lines):
            length = len(body) + bool(end)
            if place < length:
                return number, place
            place -= length
        unended = bool(self.lines) and not self.lines[-1].end
        return (len(self.lines) - 1, len(self.lines[-1].body)) if unended else (len(self.lines), 0)


def _candidates(data: bytes) -> list[str]:
    """Encodings to try, the likeliest first."""
    if b"\0" in data:
        even, odd = data[::2].count(0), data[1::2].count(0)
        if min(even, odd) == 0 and max(even, odd) * 4 > len(data):
            return ["utf-16-le" if odd else "utf-16-be", "utf-8"]
        return ["utf-8"]
    named = _NAMED.match(data)
    own = _of_text(named[1].decode("ascii")) if named else []
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return [*own, "utf-8", *(_SINGLE_BYTE if controls <= _CONTROLS_IN_TEXT * len(data) else ())]


def _of_text(name: str) -> list[str]:
    """The codec of this name, unless it is none, or none in which source code can name it."""
    try:
        return [codecs.lookup(name).name] if "coding".encode(name) == b"coding" else []
    except (LookupError, UnicodeError):
        return []


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
        return text if text.encode(encoding) == data else None
    except UnicodeError:
        return None


def _split(raw: str) -> tuple[TextLine, ...]:
    """Lines with their ends. A lone CR ends a line only where no LF does: to git and sed it is a character."""
    if "\n" not in raw:
        *ended, rest = raw.split("\r")
        return (*(TextLine(body, "\r") for body in ended), *([TextLine(rest, "")] if rest else []))
    *ended, rest = raw.split("\n")
    lines = [TextLine(body[:-1], "\r\n") if body.endswith("\r") else TextLine(body, "\n") for body in ended]
    return (*lines, *([TextLine(rest, "")] if rest else []))


def _occurrences(text: str, wanted: str) -> list[int]:
    found, position = list[int](), text.find(wanted)
    while position >= 0:
        found.append(position)
        position = text.find(wanted, position + 1)
    return found


def _common(one: str, other: str) -> int:
    """How many characters both texts begin with."""
    limit = min(len(one), len(other))
    return next((n for n in range(limit) if one[n] != other[n]), limit)
