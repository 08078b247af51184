"""`str_replace_based_edit_tool`: look at files and change them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Literal

import msgspec

from agenthub_worker.errors import ToolRefused
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult, cut
from agenthub_worker.tools.paths import inside, read_file, relative, write_file

_FILE_BYTES = 2 << 20
_LISTED = 500
_UNLISTED = frozenset({".git", "__pycache__", "node_modules", ".venv", ".pytest_cache"})


class EditorInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Commands need: create `file_text`; str_replace `old_str`; insert `insert_line`, `insert_text`."""

    command: Literal["view", "create", "str_replace", "insert"]
    path: str
    view_range: tuple[int, int] | None = None
    file_text: str | None = None
    old_str: str | None = None
    new_str: str | None = None
    insert_line: int | None = None
    insert_text: str | None = None


async def edit(context: ToolContext, given: EditorInput) -> ToolResult:
    """Carry out one editor command."""
    if given.command != "view" and context.read_only:
        raise ToolRefused("This agent may only look at files: report what should be changed as findings.")
    return await asyncio.to_thread(_COMMANDS[given.command], context, given)


def _view(context: ToolContext, given: EditorInput) -> ToolResult:
    place = inside(context, given.path)
    if place.is_dir():
        if given.view_range is not None:
            raise ToolRefused("`view_range` is for files; `path` is a folder: leave it out.")
        return ToolResult(text=cut("\n".join(_listing(place)), context.output_chars))
    lines = _text(place, given.path).splitlines()
    first, last = _range(given.view_range, len(lines))
    numbered = (f"{number:6d}\t{lines[number - 1]}" for number in range(first, last + 1))
    return ToolResult(text=cut("\n".join(numbered), context.output_chars))


def _create(context: ToolContext, given: EditorInput) -> ToolResult:
    text = _needed(given.file_text, "file_text", "create")
    place = inside(context, given.path)
    if place.is_dir():
        raise ToolRefused(f"`{given.path}` is a folder: name a file in it.")
    known = place.exists()
    _write(place, text)
    return ToolResult(
        text=f"{'Replaced' if known else 'Created'} {relative(context, place)} ({len(text.splitlines())} lines).",
        changed_files=True,
    )


def _str_replace(context: ToolContext, given: EditorInput) -> ToolResult:
    old = _needed(given.old_str, "old_str", "str_replace")
    if not old:
        raise ToolRefused(
            "`old_str` is empty: give the exact text to replace, with enough around it to be unique."
        )
    place = inside(context, given.path)
    text = _text(place, given.path)
    found = text.count(old)
    if found != 1:
        remedy = "copy it exactly, with its indentation" if not found else "add lines around it until it is unique"
        raise ToolRefused(f"`old_str` occurs {found} times in {given.path}, and must occur once: {remedy}.")
    line = text[: text.index(old)].count("\n") + 1
    _write(place, text.replace(old, given.new_str or "", 1))
    return ToolResult(text=f"Replaced at line {line} of {relative(context, place)}.", changed_files=True)


def _insert(context: ToolContext, given: EditorInput) -> ToolResult:
    line = given.insert_line
    if line is None:
        raise ToolRefused("`insert_line` is missing: give the line after which to insert, 0 for the start.")
    text = _needed(given.insert_text, "insert_text", "insert")
    place = inside(context, given.path)
    lines = _text(place, given.path).splitlines(keepends=True)
    if not 0 <= line <= len(lines):
        raise ToolRefused(f"`insert_line` {line} is not between 0 and {len(lines)}, the length of {given.path}.")
    if line and not lines[line - 1].endswith(("\n", "\r")):
        lines[line - 1] += "\n"
    ending = "" if text.endswith("\n") else "\n"
    _write(place, "".join([*lines[:line], text + ending, *lines[line:]]))
    return ToolResult(text=f"Inserted after line {line} of {relative(context, place)}.", changed_files=True)


_COMMANDS = {"view": _view, "create": _create, "str_replace": _str_replace, "insert": _insert}


def _needed(value: str | None, field: str, command: str) -> str:
    if value is None:
        raise ToolRefused(f"`{field}` is missing: `{command}` needs it.")
    return value


def _text(place: Path, path: str) -> str:
    try:
        return read_file(place, _FILE_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise ToolRefused(f"`{path}` does not exist: look at the folder first, or create the file.") from None
    except IsADirectoryError:
        raise ToolRefused(f"`{path}` is a folder: name a file in it.") from None
    except UnicodeDecodeError:
        raise ToolRefused(f"`{path}` is not UTF-8 text: use a command to look at it.") from None


def _write(place: Path, text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > _FILE_BYTES:
        raise ToolRefused(f"The file would have {len(data)} bytes; at most {_FILE_BYTES} are written: split it.")
    write_file(place, data)


def _range(wanted: tuple[int, int] | None, length: int) -> tuple[int, int]:
    if wanted is None:
        return 1, length
    first, last = wanted
    if last == -1:
        last = length
    if not 1 <= first <= max(last, 1) or first > max(length, 1):
        raise ToolRefused(f"`view_range` [{wanted[0]}, {wanted[1]}] does not fit a file of {length} lines.")
    return first, min(last, length)


def _listing(folder: Path) -> list[str]:
    """Files and folders two levels deep, folders with a slash."""
    found: list[str] = []
    for entry in _children(folder):
        found.append(_shown(entry, ""))
        if entry.is_dir(follow_symlinks=False):
            found.extend(_shown(child, f"{entry.name}/") for child in _children(Path(entry.path)))
    if len(found) > _LISTED:
        return [*found[:_LISTED], f"[... {len(found) - _LISTED} more; use glob ...]"]
    return found or ["[an empty folder]"]


def _children(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if entry.name not in _UNLISTED), key=lambda item: item.name)
    except PermissionError:
        return []


def _shown(entry: os.DirEntry[str], prefix: str) -> str:
    if entry.is_symlink():
        return f"{prefix}{entry.name} -> {os.readlink(entry.path)}"
    return f"{prefix}{entry.name}/" if entry.is_dir() else f"{prefix}{entry.name}"


EDITOR = Tool(
    name="str_replace_based_edit_tool",
    description=(
        "Look at and change text files. `view` shows a file with line numbers (or lines `view_range` "
        "[first, last], -1 for the end), or lists a folder. `create` writes a whole file. `str_replace` replaces "
        "`old_str`, which must occur exactly once, by `new_str`. `insert` puts `insert_text` after line "
        "`insert_line`."
    ),
    input=EditorInput,
    function=edit,
    mutates=True,
)
TOOLS = (EDITOR,)
