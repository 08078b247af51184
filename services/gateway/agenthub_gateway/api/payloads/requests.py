"""What the calls take."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agenthub_events.catalogue.values import AnswerAction, Autonomy, Complexity, Delivery, Mutants, Priority
from agenthub_events.redaction import SHORTEST_SECRET
from agenthub_events.rules.requirements import DEFAULT_LLM_CALLS, DEFAULT_MAX_COST_USD

GOAL_MAX = 8_000
TEXT_MAX = 16_000
REQUIREMENT_MAX = 500
REQUIREMENTS_MAX = 50
SECRETS_MAX = 50
RECIPIENTS_MAX = 20

ShortText = Annotated[str, Meta(max_length=500)]
LongText = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
Duration = Annotated[
    str,
    Meta(
        max_length=60,
        examples=["24 hours"],
        description="`24 hours`, `4h 30m`, `PT4H`; 7 days by default. When it is over, a person is asked",
    ),
]
Money = Annotated[
    float,
    Meta(
        ge=0,
        le=1_000_000,
        description=f"{DEFAULT_MAX_COST_USD:g} by default. With a limit of your own no call is made whose price is"
        " not known",
    ),
]
Calls = Annotated[int, Meta(ge=0, le=1_000_000, description=f"{DEFAULT_LLM_CALLS} by default")]

Percent = Annotated[
    float,
    Meta(ge=0, le=100, description="Corrects the coverage that the words are taken to demand; 0: none"),
]


class ConstraintsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bounds of a goal; what is missing or 0 means the hub's default, never unlimited."""

    max_time: Duration | None = None
    must_pass_tests: bool = True
    require_security_audit: bool = True
    max_cost_usd: Money | None = None
    max_llm_calls: Calls | None = None
    min_coverage: Percent | None = None
    security_audit: Annotated[bool | None, Meta(description="Corrects what the words are taken to ask")] = None
    mutants: Annotated[Mutants, Meta(description="`off`: nobody tries whether the tests notice broken code")] = (
        "on"
    )
    network: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=260)], ...],
        Meta(
            max_length=20,
            examples=[["api.example.com", "db.example.com:8443"]],
            description="Hosts (`host` for port 443, or `host:port`) that agents and tests may reach by HTTP",
        ),
    ] = ()


class TaskBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of a plan; `depends_on` names keys of tasks listed before it."""

    key: str
    title: str
    details: Annotated[str, Meta(max_length=TEXT_MAX)] = ""
    agent: str = "coding"
    depends_on: tuple[str, ...] = ()
    complexity: Complexity = "medium"
    estimate_minutes: int | None = None
    acceptance: tuple[ShortText, ...] = ()
    requirement_ids: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    changes_tests: tuple[str, ...] = ()
    timeout_s: int | None = None


class CheckBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command that has to end with exit code 0 on the result."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,30}$(?!\n)", description="`lint`, `types`, `build`, …")]
    command: Annotated[str, Meta(min_length=1, max_length=500)]


class SubmitBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A goal in plain words. Only `goal` is needed; a `workflow` is a plan of your own."""

    goal: Annotated[
        str, Meta(min_length=1, max_length=GOAL_MAX, examples=["Build authentication system with JWT"])
    ]
    requirements: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=REQUIREMENT_MAX)], ...],
        Meta(max_length=REQUIREMENTS_MAX),
    ] = ()
    constraints: ConstraintsBody = ConstraintsBody()
    priority: Priority = "normal"
    repository: Annotated[
        str,
        Meta(
            max_length=1_000,
            description="`https://…`, `ssh://…` or `git@host:path`, without a credential; on a hub of this machine"
            " also the path of a folder",
        ),
    ] = ""
    ref: Annotated[
        str,
        Meta(
            max_length=250,
            description="Branch, tag or full commit id to start from; by default the default branch",
        ),
    ] = ""
    deliver: Annotated[
        Delivery | None,
        Meta(
            description="What happens to the approved result: `branch` pushes it, `pull_request` (at an address)"
            " also opens a pull or merge request. By default `branch` where a credential is set for the host"
        ),
    ] = None
    deliver_branch: Annotated[
        str, Meta(max_length=250, description="Name of the branch that is pushed; by default `goal/<id>`")
    ] = ""
    test_command: ShortText = ""
    setup: Annotated[
        tuple[ShortText, ...],
        Meta(
            max_length=20,
            description="Commands that install what the project needs; default: what its files say",
        ),
    ] = ()
    checks: Annotated[
        tuple[CheckBody, ...],
        Meta(
            max_length=10,
            description="Commands that run with the tests, in this order, and have to end well; default: the table"
            " `checks` of `.agenthub/config.toml` in the repository",
        ),
    ] = ()
    autonomy: Autonomy = "full"
    workflow: tuple[TaskBody, ...] | None = None
    secrets: Annotated[
        tuple[Annotated[str, Meta(min_length=SHORTEST_SECRET, max_length=TEXT_MAX)], ...],
        Meta(
            max_length=SECRETS_MAX,
            description="Values that no record, tool result, log line or export of this goal may show. They are"
            " kept beside the log, where they can be erased, and given to nobody",
        ),
    ] = ()
    # Absent it is no part of the body's hash, by which a repetition is known: also one from before it was there.
    notify: (
        Annotated[
            tuple[Annotated[str, Meta(min_length=3, max_length=2_000)], ...],
            Meta(
                max_length=RECIPIENTS_MAX,
                examples=[["ann@example.org"]],
                description="Who is told about this goal beside the hub's own recipients: e-mail addresses,"
                " https:// addresses of webhooks, and `check` for a check of the commit that it begins with",
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class ReworkBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What should be changed. Without a `priority` the goal keeps the one that it has."""

    feedback: LongText
    priority: Priority | None = None


class ApproveBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ready_seq` of the goal as you saw it; without it the one that the read models show now."""

    ready_seq: Annotated[int, Meta(ge=1)] | None = None


class ReasonBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, in your words."""

    reason: Annotated[str, Meta(max_length=2_000)] = ""


class EraseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`confirm` repeats the id of the goal: what is erased does not come back."""

    confirm: Annotated[str, Meta(max_length=60)]
    reason: Annotated[str, Meta(max_length=2_000)] = ""


class EmptyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing has to be said."""


class BudgetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New limits; each can only be raised."""

    max_cost_usd: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    max_llm_calls: Annotated[int, Meta(gt=0, le=1_000_000)] | None = None


class ForkBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a goal is forked, and what is done differently from there on; what is left out stays as it was."""

    at_seq: Annotated[int, Meta(ge=1, description="The event of the goal that is the last one to count")]
    model: Annotated[
        str,
        Meta(
            pattern=r"^[\x21-\x7e]*$(?!\n)",
            max_length=200,
            description="Does all the work, whatever the hub's settings name",
        ),
    ] = ""
    prompt: Annotated[
        str, Meta(max_length=TEXT_MAX, description="What every agent is told, beside the goal's own words")
    ] = ""
    plan: Annotated[
        tuple[TaskBody, ...] | None,
        Meta(description="Tasks in the place of all that had not ended; `depends_on` may name those that had"),
    ] = None
    max_cost_usd: (
        Annotated[
            float,
            Meta(gt=0, le=1_000_000, description="The fork's own limit; what its parent has spent is not counted"),
        ]
        | None
    ) = None
    max_llm_calls: Annotated[int, Meta(gt=0, le=1_000_000)] | None = None


class PriorityBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The goal's place in the queues."""

    priority: Priority


class PlanBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Approve the plan of the revision that you saw, or put `tasks` in its place."""

    action: Literal["approve", "edit"]
    revision: Annotated[int, Meta(ge=1)]
    tasks: tuple[TaskBody, ...] | None = None


class NoteBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word to the agent at work."""

    text: LongText


class EditsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes in a task before it runs again; what is missing stays."""

    title: Annotated[str, Meta(min_length=1, max_length=300)] | None = None
    details: Annotated[str, Meta(max_length=TEXT_MAX)] | None = None
    agent: str | None = None
    timeout_s: Annotated[int, Meta(ge=1, le=86_400)] | None = None


class AnswerBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What you decide about a question."""

    action: AnswerAction
    text: Annotated[str, Meta(max_length=TEXT_MAX)] = ""
    option: Annotated[str, Meta(max_length=2_000)] = ""
    edits: EditsBody | None = None


class RequeueBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes before the work is tried again."""

    edits: EditsBody | None = None
