"""What a repository says to agents (`AGENTS.md`, `CLAUDE.md`): the files for a task's place, the nearest last."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from agenthub_runtime.repository.history import FileEntry
from agenthub_worker.world.quoting import name_of, quoted, within

NAMES = ("AGENTS.md", "CLAUDE.md")
_WILD = re.compile(r"[*?\[]")
_POINTS = re.compile(r"\s*(?:@|see |read )?[`\[(]*(?:\./)?AGENTS\.md[`\])]*\.?\s*", re.I)
_ELSEWHERE_NAMED = 20


def is_instruction(entry: FileEntry) -> bool:
    """Whether a file of a commit is one: plain, with one of the names."""
    return entry.mode.startswith("100") and PurePosixPath(entry.path).name in NAMES


def files_for(paths: Sequence[str], writes: Sequence[str]) -> list[str]:
    """Those of `paths` that are about the files that a task `writes`, from the top to the nearest."""
    folders = {"", *(folder for pattern in writes for folder in _folders_of(pattern))}
    about = [path for path in paths if path.rpartition("/")[0] in folders]
    return sorted(about, key=lambda path: (path.count("/"), path))


def instruction_lines(
    texts: Mapping[str, str], shown: Sequence[str], others: Sequence[str], tokens: int
) -> Iterator[str]:
    """The texts of the files `shown`, quoted; the nearest get room first. `others` are only named."""
    kept: dict[str, list[str]] = {}
    for path in reversed([path for path in shown if not _says_nothing(path, texts)]):
        lines, whole = within(quoted(texts[path].strip()), tokens)
        tokens -= sum(len(line) // 3 + 1 for line in lines)
        cut = [] if whole else [f"[{name_of(path)} is longer: read the rest of it in the repository]"]
        kept[path] = [f"{name_of(path)}:", *lines, *cut]
    for path in reversed(list(kept)):
        yield from kept[path]
    if others:
        named = ", ".join(name_of(path) for path in others[:_ELSEWHERE_NAMED])
        more = f" and {len(others) - _ELSEWHERE_NAMED} more" if len(others) > _ELSEWHERE_NAMED else ""
        yield f"For other folders, read them before you work there: {named}{more}"


def _folders_of(pattern: str) -> Iterator[str]:
    """The folders above the files of a pattern, as far as it names them."""
    parts = [part for part in pattern.split("/")[:-1] if part not in ("", ".")]
    for number, part in enumerate(parts, 1):
        if _WILD.search(part):
            return
        yield "/".join(parts[:number])


def _says_nothing(path: str, texts: Mapping[str, str]) -> bool:
    """Whether it is empty, or the same as the `AGENTS.md` beside it, or points there."""
    text = texts[path].strip()
    beside = texts.get(str(PurePosixPath(path).with_name(NAMES[0])))
    return not text or (
        not path.endswith(NAMES[0])
        and beside is not None
        and (text == beside.strip() or bool(_POINTS.fullmatch(text)))
    )
