"""The planner's part: twelve tasks for the goal, two more for a second factor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scenarios.auth_jwt import second_factor
from agenthub_worker.rehearsal.steps import ask, first_error, normal, stuck
from agenthub_worker.rehearsal.turns import Performance, Turn, call

# Which tasks answer a requirement, by a word in it. What holds none of these words is not in the script.
_ANSWERED_BY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("refresh", ("implement-jwt-module", "implement-session-store")),
    ("jwt", ("implement-jwt-module", "implement-login-service")),
    ("password", ("implement-password-hashing",)),
    ("test", ("write-tests",)),
    ("coverage", ("write-tests",)),
    ("audit", ("write-threat-model",)),
    ("security", ("write-threat-model", "implement-rate-limiter")),
    ("doc", ("document-api", "write-readme")),
)


_FEEDBACK = re.compile(
    r"^Feedback on the work so far:(.*?)(?=^Your earlier proposal was refused:$|^The graph so far|\Z)", re.M | re.S
)


def planning(conversation: Conversation) -> Performance:
    """Submit the plan; after a person's feedback, the plan for what the feedback asks."""
    feedback = feedback_in(conversation.details)
    there_already = second_factor.FIRST_KEY in conversation.details
    if feedback and (there_already or not second_factor.asked_for(feedback)):
        while True:
            yield ask(
                f"The rehearsal model knows one change to this goal, once: “{second_factor.FEEDBACK}”."
                " For any other one, configure a provider (ANTHROPIC_API_KEY) and ask again, or cancel the goal.",
                evidence=feedback,
            )
    unknown = [text for text in conversation.requirements.values() if not _tasks_for(text)]
    if unknown:
        yield from stuck(f"The rehearsal model has no tasks for: {'; '.join(unknown)}.", "; ".join(unknown))
        return
    turn = second_factor.plan(conversation) if feedback else _first_plan(conversation)
    outcomes = yield turn
    yield from stuck("The plan was not accepted.", first_error(outcomes) or outcomes[0].text)


def feedback_in(details: str) -> str:
    """What a person wants changed, as the details of a planning task quote it; empty for a first plan."""
    found = _FEEDBACK.search(details)
    return found.group(1).strip() if found else ""


def _tasks_for(requirement: str) -> tuple[str, ...]:
    text = normal(requirement)
    return next((keys for word, keys in _ANSWERED_BY if word in text), ())


def requirement_ids(key: str, requirements: Mapping[str, str]) -> list[str]:
    """The requirements that the task of this key answers."""
    return [number for number, text in requirements.items() if key in _tasks_for(text)]


def _first_plan(conversation: Conversation) -> Turn:
    tasks = [
        {**task, "requirement_ids": requirement_ids(task["key"], conversation.requirements)} for task in _TASKS
    ]
    return call(
        "submit_plan",
        text="The goal falls into analysis, five parts that can be built side by side, their joining, and proof.",
        analysis={
            "summary": (
                "Accounts, tokens and a login service on the standard library. The parts share one module of"
                " interfaces, so that they can be built in parallel."
            ),
            "complexity": "high",
            "assumptions": ["Python 3.10 or later", "storage in memory behind interfaces", "no HTTP layer"],
        },
        tasks=tasks,
    )


def _task(
    key: str,
    title: str,
    *,
    agent: str,
    depends_on: Sequence[str],
    minutes: int,
    writes: Sequence[str],
    acceptance: Sequence[str],
) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "details": f"{title}. Files: {', '.join(writes)}.",
        "agent": agent,
        "depends_on": list(depends_on),
        "complexity": "high" if minutes >= 60 else "medium" if minutes >= 30 else "low",
        "estimate_minutes": minutes,
        "acceptance": list(acceptance),
        "writes": list(writes),
    }


_ROOTS = ("analyze-requirements", "design-architecture")
_PARTS = (
    "implement-jwt-module",
    "implement-password-hashing",
    "implement-user-store",
    "implement-session-store",
    "implement-rate-limiter",
)
_JOINED = ("implement-login-service",)

# The longest chain (design, jwt, login service, tests) takes four hours by these estimates.
_TASKS: tuple[dict[str, Any], ...] = (
    _task(
        "analyze-requirements",
        "Analyse the requirements",
        agent="architect",
        depends_on=(),
        minutes=25,
        writes=("docs/requirements.md",),
        acceptance=("every requirement has checkable statements",),
    ),
    _task(
        "design-architecture",
        "Design the architecture and the shared interfaces",
        agent="architect",
        depends_on=(),
        minutes=30,
        writes=("docs/architecture.md", "auth/__init__.py", "auth/ports.py", "pyproject.toml", ".gitignore"),
        acceptance=("the parts depend on auth/ports.py and not on each other",),
    ),
    _task(
        "implement-jwt-module",
        "Implement the JWT module with refresh rotation",
        agent="coding",
        depends_on=_ROOTS,
        minutes=90,
        writes=("auth/jwt.py",),
        acceptance=(
            "tokens are signed with HMAC-SHA256",
            "the algorithm cannot be chosen by a token",
            "refresh tokens rotate",
        ),
    ),
    _task(
        "implement-password-hashing",
        "Implement password hashing",
        agent="coding",
        depends_on=_ROOTS,
        minutes=40,
        writes=("auth/passwords.py",),
        acceptance=("hashes are salted scrypt and carry their parameters",),
    ),
    _task(
        "implement-user-store",
        "Implement the user store",
        agent="coding",
        depends_on=_ROOTS,
        minutes=30,
        writes=("auth/users.py",),
        acceptance=("an address is one account, however it is written",),
    ),
    _task(
        "implement-session-store",
        "Implement the session store",
        agent="coding",
        depends_on=_ROOTS,
        minutes=30,
        writes=("auth/sessions.py",),
        acceptance=("a family of sessions can be withdrawn together",),
    ),
    _task(
        "implement-rate-limiter",
        "Implement the throttle against guessing",
        agent="coding",
        depends_on=_ROOTS,
        minutes=35,
        writes=("auth/throttle.py",),
        acceptance=("repeated failures lock an account for a growing time",),
    ),
    _task(
        "implement-login-service",
        "Join the parts in the login service",
        agent="coding",
        depends_on=_PARTS,
        minutes=50,
        writes=("auth/service.py",),
        acceptance=("register, login, refresh and logout work together",),
    ),
    _task(
        "write-tests",
        "Write and run the tests",
        agent="testing",
        depends_on=_JOINED,
        minutes=70,
        writes=("tests/*.py",),
        acceptance=("every acceptance line above has a test", "coverage is 80 % or more"),
    ),
    _task(
        "document-api",
        "Document the API",
        agent="coding",
        depends_on=_JOINED,
        minutes=25,
        writes=("docs/api.md",),
        acceptance=("every public call with what it returns and raises",),
    ),
    _task(
        "write-threat-model",
        "Write the threat model",
        agent="architect",
        depends_on=_JOINED,
        minutes=30,
        writes=("docs/threat-model.md",),
        acceptance=("every threat has an answer or is named as open",),
    ),
    _task(
        "write-readme",
        "Write the README",
        agent="coding",
        depends_on=("document-api",),
        minutes=10,
        writes=("README.md",),
        acceptance=("it leads to the docs",),
    ),
)
