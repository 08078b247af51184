"""The files of a repository, the ones that matter to a task first, in as many words as there is room for."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

import msgspec

from agenthub_runtime.repository.history import FileEntry
from agenthub_worker.evidence.layout import is_test_file
from agenthub_worker.world.quoting import MARK, name_of, tokens_of, within

LANGUAGES = {
    ".py": "Python", ".js": "JavaScript", ".mjs": "JavaScript", ".cjs": "JavaScript", ".jsx": "JavaScript",
    ".ts": "TypeScript", ".tsx": "TypeScript", ".go": "Go", ".rs": "Rust", ".java": "Java", ".kt": "Kotlin",
    ".rb": "Ruby", ".php": "PHP", ".c": "C", ".h": "C", ".cc": "C++", ".cpp": "C++", ".hpp": "C++", ".cs": "C#",
    ".swift": "Swift", ".scala": "Scala", ".sh": "shell", ".sql": "SQL",
}  # fmt: skip
"""Code by the ending of its name."""

_MANIFESTS = frozenset(
    {
        *("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "package.json", "go.mod", "Cargo.toml", "pom.xml"),
        *("build.gradle", "build.gradle.kts", "Makefile", "Dockerfile", "tsconfig.json"),
    }
)
_ASIDE = frozenset(
    {
        *("vendor", "third_party", "node_modules", "dist", "fixtures", "testdata", "__snapshots__", "locale"),
        *("assets", "static", "migrations", "examples"),
    }
)
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{2,}")
_SYMLINK = "120000"
_SUBMODULE = "160000"
_WORDS_READ = 20_000
_FILES_A_FOLDER = 12
_MORE_TOKENS = 8
_REST_TOKENS = 40
_LANGUAGES_NAMED = 6


class Interest(msgspec.Struct, frozen=True):
    """What a task is about: patterns of the files that it writes, and the words in which it is given."""

    writes: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()


def interest_in(writes: Sequence[str], text: str) -> Interest:
    """What the plan and the words of a task say of files."""
    words = (word.strip("./-").lower() for word in _WORD.findall(text[:_WORDS_READ]))
    return Interest(tuple(writes), frozenset(words))


def ranked(entries: Sequence[FileEntry], interest: Interest) -> list[FileEntry]:
    """The files, those first that the task is likeliest to need."""
    near = frozenset(str(PurePosixPath(pattern).parent) for pattern in interest.writes)
    scored = sorted((-_score(entry, interest, near), entry.path) for entry in entries)
    by_path = {entry.path: entry for entry in entries}
    return [by_path[path] for _, path in scored]


def size_text(entries: Sequence[FileEntry]) -> str:
    """How large it is, in one line."""
    if not entries:
        return "no files yet"
    counted = Counter(language_of(entry.path) for entry in entries)
    counted.pop("", None)
    named = ", ".join(f"{count} {language}" for language, count in counted.most_common(_LANGUAGES_NAMED))
    size = _size(sum(entry.size for entry in entries))
    count = f"{len(entries)} file{'s' if len(entries) != 1 else ''}"
    return f"{count}, {size}{f' ({named})' if named else ''}"


def tree_lines(order: Sequence[FileEntry], tokens: int) -> list[str]:
    """The first files of `order` by folder, and how many more there are, in at most so many tokens."""
    shown: defaultdict[str, list[str]] = defaultdict(list)
    kept_for_rest = tokens // 4
    tokens -= kept_for_rest
    for entry in order:
        folder, _, name = entry.path.rpartition("/")
        if len(shown.get(folder, ())) == _FILES_A_FOLDER:
            continue
        line = f"{MARK}  {name_of(name)}{_said_of(entry)}"
        # With room for the line that says how many more a folder has.
        cost = tokens_of(f"{line}\n") + (
            0 if folder in shown else tokens_of(f"{MARK}{name_of(folder)}/ (9999)\n") + _MORE_TOKENS
        )
        if cost > tokens:
            break
        tokens -= cost
        shown[folder].append(line)
    return [*_by_folder(shown, order), *_rest(shown, order, kept_for_rest)]


def language_of(path: str) -> str:
    """The language of a file by its name; empty: it is no code."""
    return LANGUAGES.get(PurePosixPath(path).suffix.lower(), "")


def _score(entry: FileEntry, interest: Interest, near: frozenset[str]) -> int:
    folder, _, name = entry.path.rpartition("/")
    stem, _, ending = name.rpartition(".")
    score = -entry.path.count("/")
    if f".{ending.lower()}" in LANGUAGES:
        score += 4
    if name in _MANIFESTS or name.upper().startswith("README"):
        score += 7
    if is_test_file(entry.path):
        score -= 3
    if entry.mode in (_SYMLINK, _SUBMODULE) or not _ASIDE.isdisjoint(folder.split("/")):
        score -= 5
    # A short name says nothing: `a` and `app` stand in every text.
    if {entry.path.lower(), name.lower()} & interest.words or (len(stem) > 3 and stem.lower() in interest.words):
        score += 8
    if interest.writes:
        score += 5 if folder in near else 0
        score += 12 if any(fnmatch.fnmatchcase(entry.path, pattern) for pattern in interest.writes) else 0
    return score


def _said_of(entry: FileEntry) -> str:
    if entry.mode == _SYMLINK:
        return " (link)"
    if entry.mode == _SUBMODULE:
        return " (submodule)"
    return f" ({_size(entry.size)})" if entry.size >= 100_000 else ""


def _by_folder(shown: dict[str, list[str]], order: Iterable[FileEntry]) -> Iterator[str]:
    counted = Counter(entry.path.rpartition("/")[0] for entry in order)
    for folder in sorted(shown):
        if folder:
            yield f"{MARK}{name_of(folder)}/"
        yield from sorted(shown[folder])
        if missing := counted[folder] - len(shown[folder]):
            yield f"{MARK}  [{missing} more]"


def _rest(shown: dict[str, list[str]], order: Iterable[FileEntry], tokens: int) -> Iterator[str]:
    """The folders of which nothing is shown, summed up by the first parts of their names."""
    folders = (entry.path.rpartition("/")[0] for entry in order)
    counted = Counter("/".join(folder.split("/")[:2]) for folder in folders if folder not in shown)
    if counted:
        found = [f"{name_of(top)}/ ({count})" for top, count in counted.most_common()]
        named, _ = within([f"{name}, " for name in found], max(tokens - _REST_TOKENS, 0))
        more = [f"{len(found) - len(named)} more folders"] if len(found) > len(named) else []
        yield f"{MARK}[files in other folders: {', '.join((*(name[:-2] for name in named), *more))}]"


def _size(size: int) -> str:
    for unit, factor in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
