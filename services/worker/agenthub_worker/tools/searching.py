"""`glob` and `grep`: find files by name and by content."""

from __future__ import annotations

import asyncio
import fnmatch
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from agenthub_runtime.repository.shown_paths import shown_path
from agenthub_runtime.repository.trees import walk
from agenthub_worker.environment.provision import bare
from agenthub_worker.errors import ToolRefused
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult, cut
from agenthub_worker.tools.paths import inside, relative

_FOUND = 200
_WALKED = 100_000
_GREP_S = 30.0
_GREP_NOTHING = 1
_LINE_CHARS = 2_000
_SKIPPED = (".git", "__pycache__", "node_modules", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache")

# Files with bytes outside UTF-8 are no text to grep, so they are searched byte by byte, after the others.
_GREP = f"""
look() {{ grep -rHnIZE --color=never --no-messages "${{skipped[@]}}" --include="$glob" "$@"; }}
pattern=$1 start=$2 glob=$3
skipped=({" ".join(f"--exclude-dir={name}" for name in _SKIPPED)})
look -e "$pattern" -- "$start"; code=$?
[ $code -gt 1 ] && exit $code
mapfile -d '' odd < <(grep -rlaxvZ --no-messages "${{skipped[@]}}" --include="$glob" '.*' -- "$start")
[ ${{#odd[@]}} -eq 0 ] && exit $code
LC_ALL=C grep -HnIZE --color=never --no-messages -e "$pattern" -- "${{odd[@]:0:5000}}" && code=0
exit $code
"""

Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class GlobInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`**` stands for any number of folders."""

    pattern: Pattern
    path: str = "."


class GrepInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`pattern` is an extended regular expression; `glob` narrows the search to file names such as `*.py`."""

    pattern: Pattern
    path: str = "."
    glob: str | None = None


async def glob(context: ToolContext, given: GlobInput) -> ToolResult:
    """Files whose path below `path` fits the pattern, sorted; links are not followed."""
    start = await asyncio.to_thread(inside, context, given.path)
    parts = [part for part in given.pattern.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ToolRefused("`pattern` must not hold `..`: give the folder in `path`.")
    names = [shown_path(name) for name in await asyncio.to_thread(_matching, start, parts)]
    if not names:
        return ToolResult(text=f"No file fits {given.pattern!r} in {given.path}.")
    prefix = relative(context, start)
    shown = [name if prefix == "." else f"{prefix}/{name}" for name in names[:_FOUND]]
    if len(names) > _FOUND:
        shown.append(f"[... {len(names) - _FOUND} more; narrow the pattern ...]")
    return ToolResult(text="\n".join(shown))


async def grep(context: ToolContext, given: GrepInput) -> ToolResult:
    """Lines that fit the pattern as `file:line:text`. Runs in the sandbox: the pattern is the model's."""
    start = await asyncio.to_thread(inside, context, given.path)
    place = str(start.relative_to(context.workspace.resolve()))
    ran = await bare(context.sandbox).run(
        ["/bin/bash", "-c", _GREP, "grep", given.pattern, place, given.glob or "*"],
        workspace=context.workspace,
        timeout_s=_GREP_S,
    )
    if ran.timed_out:
        raise ToolRefused(f"The search did not end within {_GREP_S:.0f} s: narrow it with `path` or `glob`.")
    found = list(dict.fromkeys(line for line in ran.output.split(b"\n") if line))
    if found:
        if not ran.truncated:
            # grep goes through folders in the order of the disk; within a file the lines stay in theirs.
            found.sort(key=lambda line: line.split(b"\0", 1)[0])
        text = cut("\n".join(map(_shown_line, found)), context.output_chars)
        return ToolResult(text=text, is_error=ran.exit_code > _GREP_NOTHING)
    if ran.exit_code > _GREP_NOTHING:
        raise ToolRefused(
            f"`pattern` {given.pattern!r} is no extended regular expression, or `path` is not there."
        )
    return ToolResult(text=f"No line fits {given.pattern!r} in {given.path}.")


def _shown_line(line: bytes) -> str:
    """A line of grep's as `file:line:text`, in the encoding in which the editor shows that line's file."""
    name, mark, rest = line.partition(b"\0")
    if not mark:
        return line.decode("utf-8", "replace")
    number, _, text = rest.partition(b":")
    shown = _text_of(text.removesuffix(b"\r"))
    if len(shown) > _LINE_CHARS:
        shown = f"{shown[:_LINE_CHARS]}[... {len(shown) - _LINE_CHARS} more characters ...]"
    return f"{shown_path(os.fsdecode(name)).removeprefix('./')}:{number.decode('utf-8', 'replace')}:{shown}"


def _text_of(line: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


def _matching(start: Path, pattern: Sequence[str]) -> list[str]:
    return sorted(name for name in walk_files(start) if _fits(name.split("/"), pattern))


def walk_files(start: Path) -> Iterator[str]:
    """Files below a folder, relative to it, without what tools leave behind; links are not followed."""
    if not start.is_dir():
        raise ToolRefused(f"`{start.name}` is no folder: give the folder in which to search.")
    seen = 0
    for folder, names, files in walk(start):
        names[:] = [name for name in names if name not in _SKIPPED]
        for file in files:
            seen += 1
            if seen > _WALKED:
                raise ToolRefused(f"There are more than {_WALKED} files here: narrow the search with `path`.")
            yield Path(folder, file).relative_to(start).as_posix()


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Match segment by segment; `reach` holds how far into the pattern the path so far can have come."""
    reach = _with_stars({0}, pattern)
    for part in parts:
        following = set()
        for position in reach:
            if position < len(pattern) and pattern[position] == "**":
                following.add(position)
            elif position < len(pattern) and fnmatch.fnmatchcase(part, pattern[position]):
                following.add(position + 1)
        reach = _with_stars(following, pattern)
    return len(pattern) in reach


def _with_stars(reach: set[int], pattern: Sequence[str]) -> set[int]:
    """`**` may also stand for no folder at all."""
    for position in range(len(pattern)):
        if position in reach and pattern[position] == "**":
            reach.add(position + 1)
    return reach


GLOB = Tool(
    name="glob",
    description="Find files by name, e.g. `**/test_*.py`. Gives at most 200 paths, sorted.",
    input=GlobInput,
    function=glob,
)
GREP = Tool(
    name="grep",
    description=(
        "Search in files for an extended regular expression. Gives `file:line:text` for each line found. "
        "Files in UTF-16 or without text are left out."
    ),
    input=GrepInput,
    function=grep,
)
TOOLS = (GLOB, GREP)
