"""Which of the hub's tools an agent file grants; it may use our names or those of Claude Code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

FILES = "str_replace_based_edit_tool"
ALL_TOOLS = ("bash", FILES, "glob", "grep", "run_tests", "git_diff")
"""The tools that a file can grant, in the order in which a model sees them; the worker has one of each name."""

# A right that is not a tool by itself: changing files with the file tool.
_EDIT = "edit"

_GRANTS: Mapping[str, tuple[str, ...]] = {
    "Read": (FILES, "git_diff"),
    "Write": (FILES, _EDIT),
    "Edit": (FILES, _EDIT),
    "MultiEdit": (FILES, _EDIT),
    "Bash": ("bash", "run_tests"),
    "Glob": ("glob",),
    "LS": ("glob",),
    "Grep": ("grep",),
    **{name: (name,) for name in ALL_TOOLS},
    FILES: (FILES, _EDIT),
}


class ToolGrant(msgspec.Struct, frozen=True, kw_only=True):
    """The tools in the hub's order, whether files may be changed, and the names that mean nothing here."""

    tools: tuple[str, ...]
    may_edit: bool
    unknown: tuple[str, ...] = ()


def grant_for(allowed: Iterable[str] | None, denied: Iterable[str] | None) -> ToolGrant:
    """The tools that a file's `tools` (None: all) and `disallowedTools` leave."""
    unknown: list[str] = []
    granted = {*ALL_TOOLS, _EDIT} if allowed is None else _meant_by(allowed, unknown)
    granted -= _taken_by(denied or ())
    return ToolGrant(
        tools=tuple(tool for tool in ALL_TOOLS if tool in granted),
        may_edit=FILES in granted and _EDIT in granted,
        unknown=tuple(unknown),
    )


def _meant_by(names: Iterable[str], unknown: list[str]) -> set[str]:
    granted: set[str] = set()
    for name in names:
        # `Bash(git *)` narrows a tool down; here it grants the whole tool, which the sandbox confines anyway.
        rights = _GRANTS.get(name.partition("(")[0])
        if rights is None:
            unknown.append(name)
        else:
            granted.update(rights)
    return granted


def _taken_by(names: Iterable[str]) -> set[str]:
    """Denying a way to write takes the right to change files; denying to read takes the file tool itself."""
    taken: set[str] = set()
    for name in names:
        if name in ALL_TOOLS:
            taken.add(name)
        else:
            rights = _GRANTS.get(name, ())
            taken.update({_EDIT} if _EDIT in rights else rights)
    return taken
