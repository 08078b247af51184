"""`str_replace_based_edit_tool`: look at files and change them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from agenthub_events.redaction import MASK
from agenthub_runtime.repository.seen_history import HISTORY
from agenthub_runtime.repository.shown_paths import shown_path
from agenthub_worker.errors import ToolRefused
from agenthub_worker.tools.after_edit import changed_lines, nearest, syntax_note
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult, cut
from agenthub_worker.tools.paths import inside, read_file, relative, to_write, write_file
from agenthub_worker.tools.text_file import TextFile

_FILE_BYTES = 2 << 20
_LISTED = 500
_NUMBER_CHARS = 8
_NEAREST = "\nNearest to it is:\n"
_UNLISTED = frozenset({".git", "__pycache__", "node_modules", ".venv", ".pytest_cache"})


class Replacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`old_str` must occur exactly once when its turn comes."""

    old_str: str
    new_str: str = ""


class EditorInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Commands need: create `file_text`; str_replace `old_str` or `edits`; insert `insert_line`, `insert_text`."""

    command: Literal["view", "create", "str_replace", "insert"]
    path: str
    view_range: tuple[int, int] | None = None
    view_columns: tuple[int, int] | None = None
    file_text: str | None = None
    old_str: str | None = None
    new_str: str | None = None
    edits: Annotated[tuple[Replacement, ...], msgspec.Meta(max_length=100)] = ()
    insert_line: int | None = None
    insert_text: str | None = None


async def edit(context: ToolContext, given: EditorInput) -> ToolResult:
    """Carry out one editor command."""
    if given.command != "view":
        if context.read_only:
            raise ToolRefused("This agent may only look at files: report what should be changed as findings.")
        if await asyncio.to_thread(_in_history, context, given.path):
            raise ToolRefused(
                "`.git` is a copy of the history that nobody takes anything from: use `git` in `bash`."
            )
    return await asyncio.to_thread(_COMMANDS[given.command], context, given)


def _in_history(context: ToolContext, path: str) -> bool:
    return inside(context, path).is_relative_to(context.workspace.resolve() / HISTORY)


def _view(context: ToolContext, given: EditorInput) -> ToolResult:
    place = inside(context, given.path)
    if place.is_dir():
        if given.view_range is not None or given.view_columns is not None:
            raise ToolRefused("`view_range` and `view_columns` are for files; `path` is a folder: leave them out.")
        return ToolResult(text=cut("\n".join(_listing(place)), context.output_chars))
    file = _text(place, given.path)
    lines = [line.body for line in file.lines]
    first, last = _range("view_range", given.view_range, len(lines), f"a file of {len(lines)} lines")
    text = "\n".join(_page(lines, first, last, given.view_columns, context.output_chars))
    note = f"[{file.note}; edits keep them]" if file.note else ""
    return ToolResult(text="\n".join(part for part in (text, note) if part))


def _page(
    lines: Sequence[str], first: int, last: int, columns: tuple[int, int] | None, room: int
) -> Iterator[str]:
    """Numbered lines as far as there is room for them, and how to see what is left out."""
    most = max(1, room // 2)
    for number in range(first, last + 1):
        line = lines[number - 1]
        start, stop = _range("view_columns", columns, len(line), f"line {number} of {len(line)} characters")
        shown = line[start - 1 : min(stop, start - 1 + most)]
        room -= len(shown) + _NUMBER_CHARS
        if room < 0 and number > first:
            yield f"[lines {number} to {last} are not shown; go on with `view_range` [{number}, {last}]]"
            return
        yield f"{number:6d}\t{shown}"
        if start - 1 + len(shown) < stop:
            following = start + len(shown)
            yield (
                f"[line {number} has {len(line)} characters; go on with `view_range` [{number}, {number}] and"
                f" `view_columns` [{following}, {stop}]]"
            )


def _create(context: ToolContext, given: EditorInput) -> ToolResult:
    text = _needed(given.file_text, "file_text", "create")
    place = to_write(context, given.path)
    if place.is_dir():
        raise ToolRefused(f"`{given.path}` is a folder: name a file in it.")
    known = place.exists()
    _write(place, _encoded(text))
    lines = len(text.split("\n")) - (text.endswith("\n") or not text)
    name = relative(context, place)
    said = f"{'Replaced' if known else 'Created'} {name} ({lines} lines)."
    return _changed(name, said, syntax_note(name, text))


def _changed(name: str, *said: str) -> ToolResult:
    return ToolResult(text="\n".join(part for part in said if part), changed_files=True, wrote=name)


def _str_replace(context: ToolContext, given: EditorInput) -> ToolResult:
    if given.edits and given.old_str is not None:
        raise ToolRefused("Give either `old_str` with `new_str`, or `edits`: not both.")
    edits = given.edits or (Replacement(_needed(given.old_str, "old_str", "str_replace"), given.new_str or ""),)
    place = to_write(context, given.path)
    before = file = _text(place, given.path)
    for number, edit in enumerate(edits, 1):
        at = f"Edit {number} of {len(edits)}, so none was made: " if len(edits) > 1 else ""
        file, line = _replaced(file, edit, given.path, at)
    _write(place, file.data())
    name = relative(context, place)
    where = f"at line {line} of {name}" if len(edits) == 1 else f"in {len(edits)} places of {name}"
    return _edited(
        name, f"Replaced {where}.{_kept(before, ''.join(edit.new_str for edit in edits))}", before, file
    )


def _edited(name: str, said: str, before: TextFile, after: TextFile) -> ToolResult:
    """The answer of an edit: what was done, the lines as they are now, and what is wrong with them."""
    lines = changed_lines([line.body for line in before.lines], [line.body for line in after.lines])
    return _changed(name, said, lines, syntax_note(name, after.shown))


def _replaced(file: TextFile, edit: Replacement, path: str, at: str) -> tuple[TextFile, int]:
    """The file with one replacement made, and its line. Raises `ToolRefused`."""
    old = edit.old_str
    if not old:
        raise ToolRefused(
            f"{at}`old_str` is empty: give the exact text to replace, with enough around it to be unique."
        )
    found = file.find(old)
    if len(found) != 1:
        remedy = _remedy(file, old) if not found else "add lines around it until it is unique."
        raise ToolRefused(f"{at}`old_str` occurs {len(found)} times in {path}, and must occur once: {remedy}")
    changed = file.replaced(found[0], edit.new_str)
    if changed == file:
        raise ToolRefused(
            f"{at}`new_str` is `old_str` again, so nothing was changed. Line ends stay those of the file: use a"
            " command such as `sed` to change them."
        )
    return changed, file.shown[: found[0].start].count("\n") + 1


def _insert(context: ToolContext, given: EditorInput) -> ToolResult:
    line = given.insert_line
    if line is None:
        raise ToolRefused("`insert_line` is missing: give the line after which to insert, 0 for the start.")
    text = _needed(given.insert_text, "insert_text", "insert")
    place = to_write(context, given.path)
    file = _text(place, given.path)
    if not 0 <= line <= len(file.lines):
        raise ToolRefused(
            f"`insert_line` {line} is not between 0 and {len(file.lines)}, the length of {given.path}."
        )
    after = file.inserted(line, text)
    _write(place, after.data())
    name = relative(context, place)
    return _edited(name, f"Inserted after line {line} of {name}.{_kept(file, text)}", file, after)


def _remedy(file: TextFile, old: str) -> str:
    if MASK in old:
        return f"`{MASK}` stands for a secret that is not shown, so leave that part out of `old_str`."
    body = old.strip()
    if body and file.find(body):
        return "only its spaces or line breaks at the start or end differ; copy it exactly."
    near = nearest([line.body for line in file.lines], old)
    return (
        f"copy it exactly, with its indentation.{_NEAREST}{near}"
        if near
        else "it is nothing like what stands there."
    )


def _kept(file: TextFile, text: str) -> str:
    """What to say when a call's line ends are not those of the file, which stay."""
    given = "\r\n" if "\r\n" in text else ""
    return f" Line ends stay those of the file, {file.line_end!r}." if given not in ("", file.line_end) else ""


_COMMANDS = {"view": _view, "create": _create, "str_replace": _str_replace, "insert": _insert}


def _needed(value: str | None, field: str, command: str) -> str:
    if value is None:
        raise ToolRefused(f"`{field}` is missing: `{command}` needs it.")
    return value


def _text(place: Path, path: str) -> TextFile:
    try:
        return TextFile.read(read_file(place, _FILE_BYTES), path)
    except FileNotFoundError:
        raise ToolRefused(f"`{path}` does not exist: look at the folder first, or create the file.") from None
    except IsADirectoryError:
        raise ToolRefused(f"`{path}` is a folder: name a file in it.") from None


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ToolRefused("`file_text` holds half of a surrogate pair, which no file can: leave it out.") from None


def _write(place: Path, data: bytes) -> None:
    if len(data) > _FILE_BYTES:
        raise ToolRefused(f"The file would have {len(data)} bytes; at most {_FILE_BYTES} are written: split it.")
    write_file(place, data)


def _range(name: str, wanted: tuple[int, int] | None, length: int, what: str) -> tuple[int, int]:
    if wanted is None:
        return 1, length
    first, last = wanted
    if last == -1:
        last = length
    if not 1 <= first <= max(last, 1) or first > max(length, 1):
        raise ToolRefused(f"`{name}` [{wanted[0]}, {wanted[1]}] does not fit {what}.")
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
    name = shown_path(f"{prefix}{entry.name}")
    if entry.is_symlink():
        return f"{name} -> {shown_path(os.readlink(entry.path))}"
    return f"{name}/" if entry.is_dir() else name


EDITOR = Tool(
    name="str_replace_based_edit_tool",
    description=(
        "Look at and change text files. `view` shows a file with line numbers (or lines `view_range` "
        "[first, last], -1 for the end; of long lines the characters `view_columns`), or lists a folder. `create` "
        "writes a whole file. `str_replace` replaces `old_str`, which must occur exactly once, by `new_str`; "
        "several at once as `edits`, made in order, all or none. "
        "`insert` puts `insert_text` after line `insert_line`. Edits keep the file's encoding and line ends."
    ),
    input=EditorInput,
    function=edit,
    mutates=True,
)
TOOLS = (EDITOR,)
