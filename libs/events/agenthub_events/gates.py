"""The gates of a goal. A gate is one entry here, its name included, and one runner of the worker's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from agenthub_events.agent_types import AgentType

GateName: TypeAlias = Literal["tests", "security", "review"]
RestsOn: TypeAlias = Literal["test_run", "findings", "verdict"]
"""A run of the tests by the system; what was found in the code; an agent's word once it has read the change."""


class GateWords(msgspec.Struct, frozen=True, kw_only=True):
    """What people read of a gate.

    `noun` and `passes_as` make the goal's summary (`tests passed`). `started`, `passing` and `failing` are said of
    a round, facts follow them; `nothing_found` is the fact of a round without findings. `after_success` and
    `after_failure` lead to what is enqueued next. `failure` is the reason of a repair, `repair` its title.
    """

    noun: str
    started: str
    passing: str
    failing: str
    after_success: str
    after_failure: str
    failure: str
    repair: str
    passes_as: str = "passed"
    nothing_found: str = "no findings"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One gate: who runs a round of it, what its verdict rests on, and when it is asked for.

    `title` and `agent_type` are those of the tasks that run its rounds. `about` finds the requirements that its
    evidence speaks to; None: it speaks to every one. `required_by` names the constraint that asks for it (a
    requirement that it speaks to does so too), `corrected_by` the one that overrules what the words are taken to
    ask, `blocks_by` the one that makes a failure count; None: always.
    `diagnosis` is the title of the task that looks for the cause of a failure; without one, findings are mended at
    once.
    """

    name: GateName
    title: str
    agent_type: AgentType
    rests_on: RestsOn
    words: GateWords
    about: re.Pattern[str] | None = None
    required_by: Literal["require_security_audit"] | None = None
    corrected_by: Literal["security_audit"] | None = None
    blocks_by: Literal["must_pass_tests"] | None = None
    diagnosis: str = ""


TESTS: GateName = "tests"
"""The gate that a person can ask for at any time, and whose run the gates after it are told."""

_IN_ORDER = (
    Gate(
        name=TESTS,
        title="Run the tests",
        agent_type="testing",
        rests_on="test_run",
        about=re.compile(r"\btests?\b|\bcoverage\b", re.I),
        blocks_by="must_pass_tests",
        diagnosis="Find out why the tests fail",
        words=GateWords(
            noun="tests",
            started="Started running tests",
            passing="All tests passing!",
            failing="Tests did not pass",
            after_success="Tests passed",
            after_failure="Tests failed",
            failure="the tests failed",
            repair="Make the tests pass",
        ),
    ),
    Gate(
        name="security",
        title="Audit the security",
        agent_type="security",
        rests_on="findings",
        about=re.compile(r"\bsecurity\b|\baudit\b", re.I),
        required_by="require_security_audit",
        corrected_by="security_audit",
        words=GateWords(
            noun="security audit",
            started="Started security audit",
            passing="Security audit passed",
            failing="Security audit failed",
            after_success="Security passed",
            after_failure="Security audit failed",
            failure="the security gate failed",
            repair="Mend what the security gate found",
            nothing_found="no vulnerabilities",
        ),
    ),
    Gate(
        name="review",
        title="Review the result",
        agent_type="review",
        rests_on="verdict",
        words=GateWords(
            noun="review",
            started="Started final review",
            passing="Code review approved, ready for deployment",
            failing="Code review asks for changes",
            after_success="Review approved",
            after_failure="Changes requested",
            failure="the review gate failed",
            repair="Mend what the review gate found",
            passes_as="approved",
        ),
    ),
)

GATES: Mapping[str, Gate] = {gate.name: gate for gate in _IN_ORDER}
"""Every gate by its name, in the order in which a goal goes through them."""
