"""All tools by name, and the one way to call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from agenthub_events.task_ids import TaskKind
from agenthub_runtime.agents.tool_names import ALL_TOOLS
from agenthub_runtime.repository.errors import RepositoryError
from agenthub_worker.errors import InvalidTestPath, SandboxUnavailable, ToolRefused
from agenthub_worker.tools import control, editor, outputs, running, searching
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult

_OF_WORKSPACE = sorted(
    (*editor.TOOLS, *running.TOOLS, *searching.TOOLS), key=lambda tool: ALL_TOOLS.index(tool.name)
)
_ALL = (*_OF_WORKSPACE, *outputs.TOOLS, *control.TOOLS)

TOOLS: Mapping[str, Tool] = MappingProxyType({tool.name: tool for tool in _ALL})
CONTROL: frozenset[str] = frozenset(tool.name for tool in _ALL if tool.function is None)
ENDINGS: frozenset[str] = frozenset(tool.name for tool in _ALL if tool.ends_run)
REPAIRS: Mapping[str, int] = MappingProxyType(
    {tool.name: tool.repairs for tool in _ALL if tool.repairs is not None}
)


def offered(kind: TaskKind, granted: Iterable[str]) -> frozenset[str]:
    """The names of an agent's tools on a task of this kind; `granted` are those that its file grants."""
    return frozenset(granted) | {tool.name for tool in _ALL if kind in tool.kinds}


def definitions(names: list[str]) -> list[dict[str, Any]]:
    """The tools of these names as the Messages API takes them, in the order of the registry."""
    return [
        {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
        for tool in _ALL
        if tool.name in names
    ]


def decoded(tool: Tool, given: Any) -> msgspec.Struct:
    """A tool call's input as the tool's own type. Raises `ToolRefused`, which names the field and the remedy."""
    try:
        return msgspec.convert(given, tool.input)
    except (msgspec.ValidationError, UnicodeError) as error:
        try:
            return msgspec.convert(_unquoted(given), tool.input, strict=False)
        except (msgspec.ValidationError, UnicodeError):
            fields = ", ".join(_signature(tool))
            raise ToolRefused(f"The input of `{tool.name}` does not fit: {error}. It takes {fields}.") from None


def _unquoted(given: Any) -> Any:
    """An input whose lists and objects were written as JSON text, as some models do, with these read."""
    if not isinstance(given, Mapping):
        return given
    return {name: _read_json(value) for name, value in given.items()}


def _read_json(value: Any) -> Any:
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return value


async def call_tool(
    context: ToolContext, name: str, given: Any, allowed: frozenset[str] | None = None
) -> ToolResult:
    """Run a tool; whatever is wrong with the call becomes a result that tells the model what to change.

    `allowed` are the tools of this agent (None: all). Control tools are the agent loop's and not called here.
    Raises `SandboxUnavailable` when the machine cannot run commands: that is not the model's fault.
    """
    tool = TOOLS.get(name)
    usable = sorted(TOOLS if allowed is None else allowed & TOOLS.keys())
    if tool is None or name not in usable:
        return ToolResult(text=f"There is no tool `{name}` here. You have: {', '.join(usable)}.", is_error=True)
    if tool.function is None:
        raise ValueError(f"{name} is answered by the agent loop, not by call_tool")
    try:
        return await tool.function(context, decoded(tool, given))
    except (ToolRefused, InvalidTestPath, RepositoryError) as refused:
        return ToolResult(text=str(refused), is_error=True, changed_files=tool.mutates and not context.read_only)
    except OSError as error:
        return ToolResult(text=f"`{name}` failed: {error.strerror}.", is_error=True)
    except SandboxUnavailable:
        if context.sandbox.name == "none" and context.read_only:
            return ToolResult(text=f"`{name}` cannot run read-only without a sandbox.", is_error=True)
        raise


def _signature(tool: Tool) -> list[str]:
    return [
        f"`{field.encode_name}`" + ("" if field.required else " (optional)")
        for field in msgspec.structs.fields(tool.input)
    ]
