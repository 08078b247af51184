"""Reads agents' Markdown files, in the format of Claude Code's subagents, and lays one set over another.

A file has YAML front matter and a body; the body is the system prompt. What would run code or widen rights there
is ignored and named. A file may come from a repository that the agents themselves work on: its content is
configuration to check, never something to trust.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import yaml

from agenthub_events.agent_types import AgentType, agent_type_of
from agenthub_events.errors import InvalidInput
from agenthub_runtime.agents.limits import AgentLimits, read_limits
from agenthub_runtime.agents.tool_names import ALL_TOOLS, ToolGrant, grant_for
from agenthub_runtime.errors import AgentFileInvalid

Layer: TypeAlias = Mapping[str, str]

# Where a repository keeps agents, the weaker folder first.
REPOSITORY_FOLDERS = (".claude/agents", ".agenthub/agents")

_USED = frozenset({"name", "description", "tools", "disallowedTools", "model", "maxTurns", "agenthub"})
_REFUSED = {
    "hooks": "hooks would run commands outside the sandbox",
    "permissionMode": "what an agent may do is decided by this hub",
    "mcpServers": "servers for tools are not started from agent files",
}
_MAX_BYTES = 256 * 1024
# What reads YAML takes time by the square of how deep it is nested.
_FRONT_MAX, _NESTED_DEEP = 32_000, 50


class AgentDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One agent.

    `tools` are names of this hub's workspace tools, `may_edit` tells whether the file tool may change files.
    `model` is an alias, a model id, or empty; `text` is the whole file and `sha256` its hash, for the record of
    what ran; `extra` keeps keys that this hub does not use; `warnings` are sentences for the operator.
    """

    name: str
    description: str
    type: AgentType
    prompt: str
    sha256: str
    source: str
    text: str = ""
    tools: tuple[str, ...] = ALL_TOOLS
    may_edit: bool = True
    model: str = ""
    limits: AgentLimits = AgentLimits()
    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Agents:
    """A set of agents after all overrides; `problems` names the files that could not be used."""

    def __init__(self, definitions: Iterable[AgentDefinition], problems: Sequence[str] = ()) -> None:
        self._by_name: dict[str, AgentDefinition] = {}
        self._by_type: dict[str, AgentDefinition] = {}
        self.problems = tuple(problems)
        for definition in definitions:
            self._by_name[definition.name] = definition
            if _stands_for_its_type(definition):
                self._by_type[definition.type] = definition

    def find(self, agent: str, agent_type: AgentType) -> AgentDefinition:
        """The agent that a task names, else the one of its type. Raises `AgentFileInvalid` for neither."""
        named = self._by_name.get(agent)
        if named is not None and named.type == agent_type:
            return self._by_type.get(agent_type, named) if _stands_for_its_type(named) else named
        if agent_type in self._by_type:
            return self._by_type[agent_type]
        raise AgentFileInvalid(
            f"there is no agent of type {agent_type}: add a Markdown file with `agenthub: {{type: {agent_type}}}`",
            field="type",
        )

    def all(self) -> tuple[AgentDefinition, ...]:
        """The agents that are in force, by name."""
        return tuple(self._by_name[name] for name in sorted(self._by_name))


def built_in_files() -> Layer:
    """The agents that come with this package: file name → text."""
    folder = files("agenthub_runtime.agents")
    return {
        entry.name: entry.read_text("utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".md")
    }


def hub_files(data_dir: Path | None) -> Layer:
    """The agents in the hub's own folder, `<data folder>/agents`: path → text."""
    folder = data_dir / "agents" if data_dir else None
    if folder is None or not folder.is_dir():
        return {}
    return {str(path): path.read_text("utf-8") for path in sorted(folder.glob("*.md"))}


def file_hashes(agents: Agents) -> dict[str, str]:
    """The hash of the file behind every agent's name and every type."""
    by_type = {definition.type: agents.find(definition.type, definition.type) for definition in agents.all()}
    hashes: dict[str, str] = {agent_type: found.sha256 for agent_type, found in by_type.items()}
    return hashes | {found.name: agents.find(found.name, found.type).sha256 for found in agents.all()}


def repository_layers(tree: Mapping[str, str]) -> tuple[Layer, ...]:
    """The layers in a repository's files (path → text), the weaker first."""
    return tuple(
        {path: text for path, text in tree.items() if path.startswith(f"{folder}/") and path.endswith(".md")}
        for folder in REPOSITORY_FOLDERS
    )


def load_agents(*layers: Layer) -> Agents:
    """Read all layers (path → text); a later one overrides an earlier one by the agent's name or type.

    A file that cannot be used is named in `problems` and overrides nothing.
    """
    definitions: list[AgentDefinition] = []
    problems: list[str] = []
    for layer in layers:
        for path in sorted(layer):
            try:
                definitions.append(parse_agent(layer[path], source=path))
            except AgentFileInvalid as error:
                problems.append(str(error))
    return Agents(definitions, problems)


@lru_cache(maxsize=128)
def parse_agent(text: str, *, source: str) -> AgentDefinition:
    """Read one file; what was read is kept, since each attempt asks for all of them.

    Raises `AgentFileInvalid` with the file's name and what to change."""
    front, prompt = _split(text, source)
    name = _text(front, "name", source)
    if not name:
        raise AgentFileInvalid(f"{source}: `name` is missing in the front matter", field="name")
    block = _block(front, source)
    agent_type = _type(block.get("type"), name, source)
    limits, limit_warnings = read_limits(block.get("limits"), front.get("maxTurns"))
    grant = grant_for(_names(front, "tools"), _names(front, "disallowedTools"))
    extra = {key: value for key, value in front.items() if key not in _USED and key not in _REFUSED}
    return AgentDefinition(
        name=name,
        description=_text(front, "description", source),
        type=agent_type,
        prompt=prompt,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        source=source,
        text=text,
        tools=grant.tools,
        may_edit=grant.may_edit,
        model=_text(front, "model", source),
        limits=limits,
        extra=extra,
        warnings=tuple(f"{source}: {words}" for words in _warnings(front, extra, grant, limit_warnings)),
    )


def _depth(text: str) -> int:
    """How many brackets are open at once; those in texts count too."""
    deepest = depth = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


class _Plain(yaml.SafeLoader):
    """YAML without references: a few lines of them stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse a reference. Raises `yaml.YAMLError`."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("`*` refers to another place: write it out")
        return super().compose_node(parent, index)


def _split(text: str, source: str) -> tuple[dict[str, Any], str]:
    if len(text.encode()) > _MAX_BYTES:
        raise AgentFileInvalid(f"{source}: the file is larger than {_MAX_BYTES // 1024} KiB")
    opening, marker, rest = text.removeprefix("\ufeff").replace("\r\n", "\n").partition("---\n")
    head, end, body = rest.partition("\n---\n")
    if opening.strip() or not marker or not end:
        raise AgentFileInvalid(f"{source}: the file must begin with front matter between two lines of `---`")
    if len(head) > _FRONT_MAX:
        raise AgentFileInvalid(f"{source}: the front matter has more than {_FRONT_MAX} characters")
    if _depth(head) > _NESTED_DEEP:
        raise AgentFileInvalid(f"{source}: the front matter is nested too deeply")
    try:
        front = yaml.load(head, _Plain)  # noqa: S506  a SafeLoader
    except RecursionError:
        raise AgentFileInvalid(f"{source}: the front matter is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise AgentFileInvalid(f"{source}: the front matter is not YAML ({error})") from error
    if not isinstance(front, dict):
        raise AgentFileInvalid(f"{source}: the front matter must hold `key: value` lines")
    if not body.strip():
        raise AgentFileInvalid(f"{source}: the body is empty; it is the agent's instructions")
    return {str(key): value for key, value in front.items()}, body.strip()


def _block(front: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    block = front.get("agenthub") or {}
    if not isinstance(block, dict):
        raise AgentFileInvalid(f"{source}: `agenthub` must hold `type` and `limits`", field="agenthub")
    return block


def _type(declared: object, name: str, source: str) -> AgentType:
    if declared is not None:
        try:
            return agent_type_of(str(declared))
        except InvalidInput as error:
            raise AgentFileInvalid(f"{source}: {error}", field="agenthub.type") from error
    return _alias(name) or "coding"


def _alias(name: str) -> AgentType | None:
    try:
        return agent_type_of(name)
    except InvalidInput:
        return None


def _stands_for_its_type(definition: AgentDefinition) -> bool:
    """Whether the name is only another spelling of the type, so that the file replaces that type's agent."""
    return _alias(definition.name) == definition.type


def _text(front: Mapping[str, Any], key: str, source: str) -> str:
    value = front.get(key)
    if value is not None and not isinstance(value, str):
        raise AgentFileInvalid(f"{source}: `{key}` must be a text", field=key)
    return (value or "").strip()


def _names(front: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    value = front.get(key)
    if value is None:
        return None
    listed = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(str(name).strip() for name in listed if str(name).strip())


def _warnings(
    front: Mapping[str, Any], extra: Mapping[str, Any], grant: ToolGrant, limits: Sequence[str]
) -> Iterable[str]:
    for key, reason in _REFUSED.items():
        if key in front:
            yield f"`{key}` is ignored: {reason}"
    if grant.unknown:
        yield f"tools that this hub does not have are left out: {', '.join(grant.unknown)}"
    if extra:
        yield f"keys that this hub does not use are kept as they are: {', '.join(sorted(extra))}"
    yield from limits
