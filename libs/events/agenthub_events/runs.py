"""The recorded steps of one attempt: `run.<goal>.<task>.<attempt>.step.<kind>`.

An agent's run is a fold over these steps, so that whoever takes an attempt over goes on at the next one. Steps
are fenced per attempt. Progress and output chunks go to `....out.<kind>`, unfenced, and may expire.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import msgspec

from agenthub_events.base import Record
from agenthub_events.catalogue.values import Finding, Usage
from agenthub_events.subjects import uuid5


class RunId(NamedTuple):
    """One attempt of one task."""

    goal_id: str
    task_id: str
    attempt: int

    @property
    def prefix(self) -> str:
        """Subjects of the run start with this."""
        return f"run.{self.goal_id}.{self.task_id}.{self.attempt}"

    @property
    def step_filter(self) -> str:
        """The fence of the run's steps."""
        return f"{self.prefix}.step.>"


class World(Record, frozen=True, kw_only=True):
    """What an agent is told of where it is, as it was told.

    `about`: the machine, the network and the repository's own rules. `here`: the files and the state of the work
    when its run began.
    """

    about: str = ""
    here: str = ""


NOWHERE = World()
"""Nothing is known of it."""


class RunSetup(Record, frozen=True, kw_only=True):
    """Everything that a holder's model calls have in common, as an object under its digest.

    `system`, `tools` and `first` are what was sent; `agent_file` (the digest of the agent's Markdown), `scanned`,
    `other_side` and `world` are what they were made of, beside the order and its context. `max_turns` and
    `repairs` bound the run; `code` is the version of what ran.
    """

    agent: str
    agent_type: str
    agent_file: str
    provider: str
    model: str
    system: str
    first: str
    tools: tuple[dict[str, Any], ...] = ()
    max_tokens: int = 0
    max_turns: int = 0
    repairs: dict[str, int] = msgspec.field(default_factory=dict)
    scanned: tuple[Finding, ...] = ()
    other_side: str = ""
    world: World = NOWHERE
    code: str = ""


class Resumed(Record, frozen=True, kw_only=True, tag_field="kind", tag="resumed"):
    """An instance of a worker holds the run from here on, with what its `RunSetup` at `setup_ref` says."""

    instance: str
    worker: str
    delivery: int
    resumes: int = 0
    setup_ref: str = ""


class TurnIntent(Record, frozen=True, kw_only=True, tag_field="kind", tag="turn.intent"):
    """The model is about to be asked; nothing is sent before this is stored."""

    turn: int
    tries: int
    request_hash: str
    model: str


class TurnReply(Record, frozen=True, kw_only=True, tag_field="kind", tag="turn.reply"):
    """What the model answered, block by block as it came, but for known secrets: each is a mask here.

    `masked` names the calls whose input held one. What ran had it; the record has not.
    """

    turn: int
    tries: int
    request_hash: str
    model: str
    provider: str
    stop_reason: str
    content: tuple[dict[str, Any], ...]
    usage: Usage = Usage()
    latency_ms: int = 0
    masked: tuple[str, ...] = ()


class TurnFailed(Record, frozen=True, kw_only=True, tag_field="kind", tag="turn.failed"):
    """The try brought no reply. `may_be_billed` False: the provider has certainly charged nothing for it.

    A try without this step and without a reply was lost with its worker, and may be billed as well. `fault` is the
    kind of what went wrong; empty where it was not recorded yet.
    """

    turn: int
    tries: int
    may_be_billed: bool
    reason: str
    fault: str = ""


class ToolIntent(Record, frozen=True, kw_only=True, tag_field="kind", tag="tool.intent"):
    """A tool is about to run."""

    turn: int
    tool_use_id: str
    name: str
    input: dict[str, Any]


class DiffSpan(Record, frozen=True, kw_only=True):
    """Characters `start` to `end` of what a patch says of one file, as an agent was shown them."""

    path: str
    start: int
    end: int


class ToolReceipt(Record, frozen=True, kw_only=True, tag_field="kind", tag="tool.receipt"):
    """What the tool gave back. `commit` is the checkpoint of the workspace when the tool changed files; its
    bundle `bundle_ref` is stored before the receipt. `shown` is the part of the change that `text` holds, `kept`
    the object with the whole output where `text` is a part of it."""

    turn: int
    tool_use_id: str
    name: str
    text: str
    is_error: bool = False
    commit: str = ""
    bundle_ref: str = ""
    shown: tuple[DiffSpan, ...] = ()
    kept: str = ""


def kept_id(digest: str) -> str:
    """By what an agent names an object that its run has kept, or that its order names."""
    return digest[:12]


class Nudge(Record, frozen=True, kw_only=True, tag_field="kind", tag="nudge"):
    """A word put before the next model call: from the loop itself, or a person's note (`note_seq`)."""

    text: str
    note_seq: int = 0


class Closed(Record, frozen=True, kw_only=True, tag_field="kind", tag="closed"):
    """Nobody may add to this run any more."""

    reason: str


Step: TypeAlias = Resumed | TurnIntent | TurnReply | TurnFailed | ToolIntent | ToolReceipt | Nudge | Closed

_DECODER: msgspec.json.Decoder[Step] = msgspec.json.Decoder(Step)
_ENCODER = msgspec.json.Encoder()
_SETUP_DECODER = msgspec.json.Decoder(RunSetup)
_SETUP_ENCODER = msgspec.json.Encoder(order="deterministic")


class RecordedStep(msgspec.Struct, frozen=True):
    """A step and its stream sequence in RUNS; `at`: when it was stored (RFC 3339), where that is known."""

    seq: int
    step: Step
    at: str = ""


def step_kind(step: Step) -> str:
    """The last tokens of the step's subject."""
    return str(type(step).__struct_config__.tag)


def encode_step(step: Step) -> bytes:
    """The JSON body of a step."""
    return _ENCODER.encode(step)


def decode_step(data: bytes) -> Step:
    """Read a step. Raises `msgspec.DecodeError` when it is none: a run that cannot be read is not resumed."""
    return _DECODER.decode(data)


def encode_setup(setup: RunSetup) -> bytes:
    """Deterministic JSON: the same setup always has the same digest."""
    return _SETUP_ENCODER.encode(setup)


def decode_setup(data: bytes) -> RunSetup:
    """Read a setup's object. Raises `msgspec.DecodeError`."""
    return _SETUP_DECODER.decode(data)


def step_id(run: RunId, step: Step, *, expected: int) -> str:
    """A deterministic id, so that the same step sent twice is stored once.

    It holds the place (`expected`: the step before it): a worker that has lost its claim writes behind an older
    step than its successor, and must not take the successor's equal step for its own.
    """
    match step:
        case Resumed():
            what = f"{step.delivery}-{step.instance}"
        case TurnIntent() | TurnReply() | TurnFailed():
            what = f"{step.turn}-{step.tries}"
        case ToolIntent() | ToolReceipt():
            what = step.tool_use_id
        case Nudge():
            what = f"{step.note_seq}-{step.text}"
        case Closed():
            what = step.reason
    return uuid5(f"{run.prefix}|{expected}|{step_kind(step)}|{what}")
