"""What a tool is: a name, a schema, and a function of a context and an input."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from agenthub_events.runs import DiffSpan, kept_id
from agenthub_events.task_ids import TaskKind
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.projects.named import PluginTexts
from agenthub_worker.sandbox.port import Output, Sandbox, Shell

OUTPUT_CHARS = 16_000


class Outputs(Protocol):
    """Where outputs are kept whole."""

    async def keep(self, text: str) -> str:
        """Store a text; the digest of the object."""
        ...

    async def read(self, name: str) -> str | None:
        """The text that an id stands for; None: there is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class ToolContext:
    """Where a tool call happens.

    `base` is the commit from which the task started. `test_command` None: it follows from the files of the
    workspace. `plugins` are the texts that may bring plugins into the tests, None: those of the workspace.
    `read_only`: the agent may look but not write. `pinned` are the folders of submodules, which stay as they are.
    `output_chars` bounds every result. `shell` None: each command gets a sandbox of its own. `outputs` None: what
    is too long is cut, and its middle is gone.
    """

    workspace: Path
    sandbox: Sandbox
    repository: GoalRepository
    base: str
    test_command: TestCommand | None = None
    plugins: PluginTexts | None = None
    read_only: bool = False
    pinned: tuple[str, ...] = ()
    output_chars: int = OUTPUT_CHARS
    test_timeout_s: float = 600.0
    on_output: Output | None = None
    shell: Shell | None = None
    outputs: Outputs | None = None


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the model reads. `changed_files`: the workspace may have changed, a checkpoint is due.

    `shown` is the part of the change that the text holds; `wrote` is the one file that the call was to write;
    `kept` is the object with the whole output, of which the text is a part.
    """

    text: str
    is_error: bool = False
    changed_files: bool = False
    shown: tuple[DiffSpan, ...] = ()
    wrote: str = ""
    kept: str = ""


ToolFunction = Callable[[ToolContext, Any], Awaitable[ToolResult]]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool. `input` is the type that its input must fit; `function` None: the agent loop handles the call.

    `mutates`: a call may change files, unless the context is read-only. `kinds` are the kinds of task in which
    every agent has it; none: the agents whose file grants it. `ends_run`: nothing follows a good call. `repairs`
    bounds how often an attempt may get the call wrong and mend it. `in_shell`: the call lets programs of the
    attempt's shell run; while any other call looks at the files, they stand still.
    """

    name: str
    description: str
    input: type[msgspec.Struct]
    function: ToolFunction | None
    mutates: bool = False
    in_shell: bool = False
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


async def shortened(context: ToolContext, text: str, whole: str = "") -> tuple[str, str]:
    """`text` as far as there is room, and the object with all of it (or of `whole`); empty: nothing is cut."""
    if len(text) <= context.output_chars and len(whole) <= len(text):
        return text, ""
    if context.outputs is None:
        return cut(text, context.output_chars), ""
    kept = await context.outputs.keep(whole or text)
    hint = f"`more` with id `{kept_id(kept)}` shows the whole output, in pages"
    if len(text) <= context.output_chars:
        return f"{text}\n[{hint}]", kept
    return cut(text, context.output_chars, hint), kept


def cut(text: str, limit: int, hint: str = "ask for less at a time") -> str:
    """`text` with its middle left out when it is longer than `limit` characters; says how much."""
    if len(text) <= limit:
        return text
    half = limit // 2
    missing = len(text) - 2 * half
    return f"{text[:half]}\n[... {missing} characters cut; {hint} ...]\n{text[-half:]}"
