"""What the code of a repository defines, file by file, out of lines that begin a definition.

No file is parsed: whatever it holds, it is read line by line, by patterns that cannot go astray on it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from agenthub_worker.world.quoting import MARK, name_of, within

_PYTHON = (r"(?P<inner>    )?(?:async )?def (\w+)", r"class (\w+)")
_SCRIPT = (
    r"export (?:default )?(?:declare )?(?:async )?(?:abstract )?"
    r"(?:function\*?|class|const|let|interface|type|enum) (\w+)",
    r"(?:async )?(?:function\*?|class) (\w+)",
    r"(?:module\.)?exports\.(\w+) =",
)
_C_LIKE = r"(?:(?:public|protected|private|static|final|abstract|sealed|open|data|internal) ){0,5}"
_TYPES = rf"{_C_LIKE}(?:class|interface|enum|record|object|struct|@interface) (\w+)"
_PATTERNS: Mapping[str, tuple[str, ...]] = {
    ".py": _PYTHON,
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx"), _SCRIPT),
    ".go": (r"func (?:\([^)]{1,80}\) )?(\w+)", r"type (\w+)"),
    ".rs": (
        r"(?P<inner>    )?pub(?:\([a-z ]{1,20}\))? (?:async |unsafe |const )*(?:fn|struct|enum|trait|type) (\w+)",
    ),
    ".java": (_TYPES, r"(?P<inner>    )(?:public|protected) (?:[\w<>\[\],.]{1,60} ){1,4}(\w+)\("),
    ".kt": (_TYPES, r"(?P<inner>    )?(?:suspend |override |public ){0,3}fun (\w+)"),
    ".cs": (rf"(?P<inner>    )?{_TYPES}",),
    ".rb": (r"(?P<inner>  )?(?:def|class|module) ([\w.?!]+)",),
    ".php": (_TYPES, r"(?P<inner>    )?(?:public |static ){0,2}function (\w+)"),
}
_COMPILED = {ending: tuple(re.compile(pattern) for pattern in patterns) for ending, patterns in _PATTERNS.items()}
_FUNCTION = re.compile(r"(?:export )?(?:default )?(?:async )?(?:def|function)\b")
_NOBODYS = ("_", "test_")
"""How names begin that no other file uses."""

_IDENTIFIER = re.compile(r"[A-Za-z_]\w{3,}")
_LINE_CHARS = 200
_NAME_CHARS = 60
_NAMES_A_FILE = 30


def has_symbols(path: str) -> bool:
    """Whether definitions are found in files of this name."""
    return PurePosixPath(path).suffix.lower() in _COMPILED


def symbols_in(path: str, text: str) -> list[str]:
    """The definitions of a file in their order, those inside of others with a dot before them."""
    patterns = _COMPILED.get(PurePosixPath(path).suffix.lower(), ())
    found: dict[str, None] = {}
    in_type = False
    for line in text.split("\n"):
        if len(line) > _LINE_CHARS or (name := _defined(line, patterns)) is None:
            continue
        if not name.startswith("."):
            in_type = not _FUNCTION.match(line)
        elif not in_type:
            continue
        if name.lstrip(".").startswith(_NOBODYS):
            continue
        found[name] = None
        if len(found) == _NAMES_A_FILE:
            break
    return list(found)


def symbol_lines(texts: Mapping[str, str], order: Sequence[str], tokens: int) -> list[str]:
    """A line a file: of those first in `order` and those that most others name, in at most so many tokens."""
    named = _named_by_others(texts)
    place = {path: number for number, path in enumerate(order)}
    lines: list[str] = []
    for path in sorted(texts, key=lambda path: (place[path] - 4 * min(named[path], 10), path)):
        if names := symbols_in(path, texts[path]):
            lines.append(f"{MARK}{name_of(path)}: {', '.join(names)}")
    kept, _ = within(lines, tokens)
    return kept


def _defined(line: str, patterns: Sequence[re.Pattern[str]]) -> str | None:
    for pattern in patterns:
        found = pattern.match(line)
        if found is None:
            continue
        name, inner = found[found.re.groups][:_NAME_CHARS], bool(found.groupdict().get("inner"))
        return f".{name}" if inner else name
    return None


def _named_by_others(texts: Mapping[str, str]) -> Counter[str]:
    """In how many other files the name of a file stands, as an import or a call would write it."""
    stems: dict[str, list[str]] = {}
    for path in texts:
        stems.setdefault(PurePosixPath(path).stem, []).append(path)
    return Counter(path for word, reader in _words(texts) for path in stems.get(word, ()) if path != reader)


def _words(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path, text in texts.items():
        for word in set(_IDENTIFIER.findall(text)):
            yield word, path
