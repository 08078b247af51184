"""`glob` and `grep`: find files by name and by content."""

from __future__ import annotations

import asyncio
import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from agenthub_runtime.repository.shown_paths import shown_path
from agenthub_runtime.repository.trees import walk
from agenthub_worker.environment.provision import bare
from agenthub_worker.errors import ToolRefused
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult, shortened
from agenthub_worker.tools.paths import inside, relative

_FOUND = 200
_WALKED = 100_000
_GREP_S = 30.0
_GREP_NOTHING = 1
_LINE_CHARS = 2_000
_SKIPPED = (".git", "__pycache__", "node_modules", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache")

_RG = (
    "rg",
    *("--no-config", "--no-heading", "--with-filename", "--line-number", "--null", "--color=never"),
    # Every file counts, also one that an ignore rule names; in the same order each time.
    *("--hidden", "--no-ignore", "--sort=path", "--no-messages", "--crlf"),
)

Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class GlobInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`**` stands for any number of folders."""

    pattern: Pattern
    path: str = "."


class GrepInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`pattern` is a regular expression as ripgrep has it; `glob` narrows the search to names such as `*.py`."""

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
    narrowed = [*([f"--glob={given.glob}"] if given.glob else []), *(f"--glob=!{name}" for name in _SKIPPED)]
    ran = await bare(context.sandbox).run(
        [*_RG, *narrowed, "-e", given.pattern, "--", place],
        workspace=context.workspace,
        timeout_s=_GREP_S,
        writable=not context.sandbox.root,
    )
    if ran.timed_out:
        raise ToolRefused(f"The search did not end within {_GREP_S:.0f} s: narrow it with `path` or `glob`.")
    # What stands before no null byte is a word of ripgrep's about a file without text.
    found = [line for line in ran.output.split(b"\n") if b"\0" in line]
    if found:
        text, kept = await shortened(context, "\n".join(map(_shown_line, found)))
        return ToolResult(text=text, kept=kept)
    if ran.exit_code > _GREP_NOTHING:
        raise ToolRefused(
            f"The search with `pattern` {given.pattern!r} in `{given.path}` did not work: {_problem(ran)}"
        )
    return ToolResult(text=f"No line fits {given.pattern!r} in {given.path}.")


def _problem(ran: ExecResult) -> str:
    """Why ripgrep has found nothing, in its own words where it has some."""
    said = ran.text.strip().removeprefix("rg: ")
    return said or "`path` is not there, or cannot be read."


def _shown_line(line: bytes) -> str:
    """A line of ripgrep's as `file:line:text`, in the encoding in which the editor shows that line's file."""
    name, _, rest = line.partition(b"\0")
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
    if not pattern or pattern[-1] == "**":
        return sorted(name for name in walk_files(start) if _fits(name.split("/"), pattern))
    # Of many files few have the name that the pattern ends with, and the rest of it costs more to compare.
    named = re.compile(fnmatch.translate(pattern[-1])).match
    found = (name for name in walk_files(start) if named(name.rpartition("/")[2]))
    if pattern[:-1] == ["**"]:
        return sorted(found)
    return sorted(name for name in found if _fits(name.split("/"), pattern))


def walk_files(start: Path) -> Iterator[str]:
    """Files below a folder, relative to it, without what tools leave behind; links are not followed."""
    if not start.is_dir():
        raise ToolRefused(f"`{start.name}` is no folder: give the folder in which to search.")
    seen, top = 0, len(str(start)) + 1
    for folder, names, files in walk(start):
        names[:] = [name for name in names if name not in _SKIPPED]
        seen += len(files)
        if seen > _WALKED:
            raise ToolRefused(f"There are more than {_WALKED} files here: narrow the search with `path`.")
        below = f"{folder}/"[top:]
        yield from [f"{below}{file}" for file in files]


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
        "Search in files for a regular expression (ripgrep). Gives `file:line:text` for each line found, hidden "
        "and ignored files too. Files without text are left out."
    ),
    input=GrepInput,
    function=grep,
)
TOOLS = (GLOB, GREP)
