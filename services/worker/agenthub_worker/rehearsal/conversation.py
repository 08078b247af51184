"""Reads a Messages API request back into what the worker wrote: the task, and what has happened in its run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_HEADING = re.compile(
    r"^(?:(GOAL|TASK) (\S+)(?: \((\w+)\))?|(INSTRUCTIONS|REQUIREMENTS|WHERE YOU ARE|DETAILS|ACCEPTANCE"
    r"|CONTEXT FROM PREVIOUS AGENTS|YOUR WORKSPACE))$"
)
_ORDER = (
    *("GOAL", "INSTRUCTIONS", "REQUIREMENTS", "WHERE YOU ARE", "TASK", "DETAILS", "ACCEPTANCE"),
    *("CONTEXT FROM PREVIOUS AGENTS", "YOUR WORKSPACE"),
)
_CLOSING = re.compile(r"^(?:Execute this task autonomously\.|Plan this goal\.)")
_AGENT = re.compile(r"^You are (.+?), an agent of type (\w+)\.")
_REQUIREMENT = re.compile(r"^(R\d+):\s*(.*)$")
# How the worker begins the result of a call that left no trace.
_LOST = ("Interrupted", "Not run")


class ToolOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One tool call of the run so far, with the text that came back."""

    name: str
    input: Mapping[str, Any]
    text: str
    is_error: bool = False

    @property
    def lost(self) -> bool:
        """Whether the call was not run or its outcome was lost, so that it has to be made again."""
        return self.is_error and self.text.startswith(_LOST)


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A run as a script sees it.

    `turns` holds, for each answered assistant message, the outcomes of its tool calls in order; messages whose
    calls were never run are not in it, but count in `assistant_messages`. `kind`: plan, work, gate, debug, fix or
    merge. `tools` are the names on offer. Texts are empty when the request does not follow the worker's format.
    """

    goal_id: str = ""
    goal: str = ""
    requirements: Mapping[str, str] = msgspec.field(default_factory=dict)
    task_id: str = ""
    kind: str = ""
    title: str = ""
    details: str = ""
    acceptance: tuple[str, ...] = ()
    context: str = ""
    about: str = ""
    here: str = ""
    agent_name: str = ""
    agent_type: str = ""
    turns: tuple[tuple[ToolOutcome, ...], ...] = ()
    assistant_messages: int = 0
    tools: tuple[str, ...] = ()


def read_conversation(body: Mapping[str, Any]) -> Conversation:
    """The conversation in the body of a Messages API request."""
    messages = body.get("messages", [])
    first = _text_of(messages[0].get("content", "")) if messages else ""
    sections = _sections(first)
    agent = _AGENT.match(_text_of(body.get("system", "")))
    goal_id, _ = sections.ids.get("GOAL", ("", ""))
    task_id, kind = sections.ids.get("TASK", ("", ""))
    return Conversation(
        goal_id=goal_id,
        goal=sections.texts.get("GOAL", ""),
        requirements=_requirements(sections.texts.get("REQUIREMENTS", "")),
        task_id=task_id,
        kind=kind,
        title=sections.texts.get("TASK", ""),
        details=sections.texts.get("DETAILS", ""),
        acceptance=_items(sections.texts.get("ACCEPTANCE", "")),
        context=sections.texts.get("CONTEXT FROM PREVIOUS AGENTS", ""),
        about=sections.texts.get("WHERE YOU ARE", ""),
        here=sections.texts.get("YOUR WORKSPACE", ""),
        agent_name=agent.group(1) if agent else "",
        agent_type=agent.group(2) if agent else "",
        turns=tuple(_turns(messages)),
        assistant_messages=sum(1 for message in messages if message.get("role") == "assistant"),
        tools=tuple(str(tool.get("name", "")) for tool in body.get("tools", [])),
    )


class _Sections(msgspec.Struct):
    texts: dict[str, str]
    ids: dict[str, tuple[str, str]]


def _sections(text: str) -> _Sections:
    """Headings stand alone on their line; only the first of each, in their fixed order, begins a section."""
    lines: dict[str, list[str]] = {}
    ids: dict[str, tuple[str, str]] = {}
    current = ""
    for line in text.splitlines():
        found = _HEADING.match(line)
        name = (found.group(1) or found.group(4)) if found else ""
        if found and name and (not current or _ORDER.index(name) > _ORDER.index(current)):
            current = name
            lines[current] = []
            if found.group(2):
                ids[current] = (found.group(2), found.group(3) or "")
        elif _CLOSING.match(line):
            break
        elif current:
            lines[current].append(line)
    return _Sections({name: "\n".join(found).strip() for name, found in lines.items()}, ids)


def _requirements(text: str) -> dict[str, str]:
    matches = (_REQUIREMENT.match(line) for line in text.splitlines())
    return {found.group(1): found.group(2).strip() for found in matches if found}


def _items(text: str) -> tuple[str, ...]:
    return tuple(line[2:].strip() for line in text.splitlines() if line.startswith("- "))


def _turns(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[ToolOutcome, ...]]:
    results = {
        block["tool_use_id"]: block
        for message in messages
        if message.get("role") == "user"
        for block in _blocks(message)
        if block.get("type") == "tool_result"
    }
    for message in messages:
        if message.get("role") != "assistant":
            continue
        calls = [block for block in _blocks(message) if block.get("type") == "tool_use"]
        outcomes = tuple(_outcome(call, results[call["id"]]) for call in calls if call["id"] in results)
        if outcomes and len(outcomes) == len(calls):
            yield outcomes


def _outcome(call: Mapping[str, Any], result: Mapping[str, Any]) -> ToolOutcome:
    return ToolOutcome(
        name=str(call["name"]),
        input=call["input"],
        text=_text_of(result.get("content", "")),
        is_error=bool(result.get("is_error", False)),
    )


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content", [])
    return [] if isinstance(content, str) else list(content)


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in content if block.get("type") == "text")
