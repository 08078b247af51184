"""The bounds within which the orchestrator decides; the same for all goals of a hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Unanswered: TypeAlias = Literal["wait", "retry", "skip", "cancel"]
"""What becomes of a task whose question nobody answers: it waits on, or this answer is given for it."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of deciding. All times are seconds.

    `max_rounds`: failed rounds of one gate before a person is asked. `max_plan_rejections`: refused proposals
    before a person is asked. `max_retries`: failed attempts that are repeated without anybody's help.
    `park_s`: how long an overloaded attempt rests when its worker named no date. `max_open_orders`: orders of one
    goal that wait in the queues at the same time. `max_proposed_tasks`: tasks that the agents of one goal may add.
    `queue_age_s`: how long an order may wait in its queue before people are told.
    `max_fixes`: repair tasks made of one verdict. `unanswered`: the answer to a task's question, given twice the
    last pause after the last reminder. `agent_hashes`: agent name or type to the hash of its
    definition. `durations`: agent type to (median, 90th percentile) in minutes, as measured on finished tasks.
    """

    max_rounds: int = 3
    max_plan_rejections: int = 2
    max_retries: int = 3
    backoff_base_s: float = 5.0
    backoff_cap_s: float = 300.0
    attempt_grace_s: float = 30.0
    park_s: float = 30.0
    stall_after_s: float = 60.0
    queue_age_s: float = 4 * 3_600.0
    escalate_after_s: float = 3_600.0
    max_escalations: int = 3
    unanswered: Unanswered = "wait"
    max_open_orders: int = 1_000
    max_proposed_tasks: int = 20
    max_fixes: int = 5
    agent_hashes: Mapping[str, str] = {}
    durations: Mapping[str, tuple[float, float]] = {}

    def backoff_s(self, goal_id: str, task_id: str, retry: int) -> float:
        """The pause before the `retry`-th repetition (from 1): doubling, capped, spread by 50 to 100 percent.

        The spread comes from a hash of its arguments, so that every orchestrator computes the same pause.
        """
        full = min(self.backoff_cap_s, self.backoff_base_s * 2.0 ** min(retry - 1, 30))
        digest = hashlib.sha256(f"{goal_id}|{task_id}|{retry}".encode()).digest()
        return full * (0.5 + int.from_bytes(digest[:4], "big") / 2**33)


DEFAULT = Policy()
