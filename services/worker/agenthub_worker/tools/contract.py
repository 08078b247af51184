"""What a tool is: a name, a schema, and a function of a context and an input."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agenthub_events.runs import DiffSpan
from agenthub_events.task_ids import TaskKind
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.sandbox.port import Output, Sandbox

OUTPUT_CHARS = 16_000


@dataclass(frozen=True, kw_only=True)
class ToolContext:
    """Where a tool call happens.

    `base` is the commit from which the task started. `test_command` None: it follows from the files of the
    workspace. `read_only`: the agent may look but not write. `output_chars` bounds every result.
    """

    workspace: Path
    sandbox: Sandbox
    repository: GoalRepository
    base: str
    test_command: TestCommand | None = None
    read_only: bool = False
    output_chars: int = OUTPUT_CHARS
    test_timeout_s: float = 600.0
    on_output: Output | None = None


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the model reads. `changed_files`: the workspace may have changed, a checkpoint is due.

    `shown` is the part of the change that the text holds; `wrote` is the one file that the call was to write.
    """

    text: str
    is_error: bool = False
    changed_files: bool = False
    shown: tuple[DiffSpan, ...] = ()
    wrote: str = ""


ToolFunction = Callable[[ToolContext, Any], Awaitable[ToolResult]]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool. `input` is the type that its input must fit; `function` None: the agent loop handles the call.

    `mutates`: a call may change files, unless the context is read-only. `kinds` are the kinds of task in which
    every agent has it; none: the agents whose file grants it. `ends_run`: nothing follows a good call. `repairs`
    bounds how often an attempt may get the call wrong and mend it.
    """

    name: str
    description: str
    input: type[msgspec.Struct]
    function: ToolFunction | None
    mutates: bool = False
    kinds: frozenset[TaskKind] = frozenset()
    ends_run: bool = False
    repairs: int | None = None

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON schema of the input, an object at the top as model servers want it."""
        return object_schema(self.input)


@functools.cache
def object_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON schema of a struct, its parts under `$defs`; it is shared: do not change it."""
    schema = msgspec.json.schema(kind)
    parts: dict[str, Any] = schema.pop("$defs", {})
    top: dict[str, Any] = parts.pop(schema["$ref"].rsplit("/", 1)[-1])
    return {**top, "$defs": parts} if parts else top


def cut(text: str, limit: int) -> str:
    """`text` with its middle left out when it is longer than `limit` characters; says how much."""
    if len(text) <= limit:
        return text
    half = limit // 2
    missing = len(text) - 2 * half
    return f"{text[:half]}\n[... {missing} characters cut; ask for less at a time ...]\n{text[-half:]}"
