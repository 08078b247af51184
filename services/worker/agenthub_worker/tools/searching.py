"""`glob` and `grep`: find files by name and by content."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from agenthub_runtime.repository.trees import walk
from agenthub_worker.errors import ToolRefused
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult, cut
from agenthub_worker.tools.paths import inside, relative

_FOUND = 200
_WALKED = 100_000
_GREP_S = 30.0
_GREP_NOTHING = 1
_SKIPPED = (".git", "__pycache__", "node_modules", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache")

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
    names = await asyncio.to_thread(_matching, start, parts)
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
    only = [f"--include={given.glob}"] if given.glob else []
    ran = await context.sandbox.run(
        [
            *("grep", "-rHnIE", "--color=never", "--no-messages"),
            *(f"--exclude-dir={name}" for name in _SKIPPED),
            *only,
            *("-e", given.pattern, "--", relative(context, start)),
        ],
        workspace=context.workspace,
        timeout_s=_GREP_S,
    )
    if ran.timed_out:
        raise ToolRefused(f"The search did not end within {_GREP_S:.0f} s: narrow it with `path` or `glob`.")
    if ran.output:
        lines = [line.removeprefix("./") for line in ran.text.splitlines()]
        if not ran.truncated:
            # grep goes through folders in the order of the disk; within a file the lines stay in theirs.
            lines.sort(key=lambda line: line.split(":", 1)[0])
        text = cut("\n".join(lines), context.output_chars)
        return ToolResult(text=text, is_error=ran.exit_code > _GREP_NOTHING)
    if ran.exit_code > _GREP_NOTHING:
        raise ToolRefused(
            f"`pattern` {given.pattern!r} is no extended regular expression, or `path` is not there."
        )
    return ToolResult(text=f"No line fits {given.pattern!r} in {given.path}.")


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
    description="Search in files for an extended regular expression. Gives `file:line:text` for each line found.",
    input=GrepInput,
    function=grep,
)
TOOLS = (GLOB, GREP)
