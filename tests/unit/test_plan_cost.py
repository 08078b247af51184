"""Checking a plan costs in proportion to its size, whatever is wrong with it: counted, not measured."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from agenthub_events.catalogue.values import Plan, PlanTask
from agenthub_events.errors import InvalidPlan
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan, validate_proposal
from agenthub_gateway.api.payloads.decoding import decode_strictly
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_gateway.api.payloads.submission import plan_tasks
from agenthub_gateway.errors import InvalidBody
from agenthub_gateway.problems import problem_of
from tests.support.counting import Compared, steps_of

SMALL, LARGE = 200, 800
TASKS: dict[str, Callable[[int], dict[str, Any]]] = {
    "independent": lambda n: {"key": f"t{n}"},
    "a chain": lambda n: {"key": f"t{n}", "depends_on": [f"t{n - 1}"] if n else []},
    "a chain in the wrong order": lambda n: {"key": f"t{n}", "depends_on": [f"t{n + 1}"]},
    "wide": lambda n: {"key": f"t{n}", "depends_on": [f"t{n - m}" for m in range(1, min(n, 20) + 1)]},
    "one key": lambda n: {"key": "t", "depends_on": ["t"] * 20},
    "keys of one id": lambda n: {"key": "t" + "-" * (n % 50)},
    "all wrong": lambda n: {"key": "T!", "depends_on": ["nope"] * 20, "requirement_ids": ["R9"] * 20},
    "nobody's tasks": lambda n: {"key": f"t{n}", "agent": f"chef-{n}", "timeout_s": -n},
}


def body_of(kind: str, size: int) -> bytes:
    tasks = [{"title": "T", **TASKS[kind](n)} for n in range(size)]
    return msgspec.json.encode({"goal": "x", "requirements": ["r"] * 5, "workflow": tasks})


def refused_or_taken(body: bytes) -> None:
    """What a gateway does with the plan of a submission."""
    try:
        submitted = decode_strictly(body, SubmitBody)
        validate_plan(plan_tasks(submitted.workflow or ()), limits=MANUAL_LIMITS, requirement_count=5)
    except (InvalidPlan, InvalidBody) as error:
        msgspec.json.encode(problem_of(error))


@pytest.mark.parametrize("kind", list(TASKS))
def test_a_plan_of_four_times_the_size_costs_four_times_the_steps(kind: str) -> None:
    small, large = body_of(kind, SMALL), body_of(kind, LARGE)
    refused_or_taken(small)  # what is looked up once is known from here on
    assert steps_of(lambda: refused_or_taken(large)) < 5 * steps_of(lambda: refused_or_taken(small))


@pytest.mark.parametrize("kind", list(TASKS))
def test_a_plan_of_four_times_the_size_has_its_keys_compared_four_times_as_often(kind: str) -> None:
    def compared(size: int) -> int:
        tasks = [
            PlanTask(
                key=Compared(told["key"]),
                title="T",
                depends_on=tuple(map(Compared, told.get("depends_on", ()))),
                requirement_ids=tuple(map(Compared, told.get("requirement_ids", ()))),
            )
            for told in map(TASKS[kind], range(size))
        ]
        Compared.times = 0
        with contextlib.suppress(InvalidPlan):
            validate_plan(tasks, limits=MANUAL_LIMITS, requirement_count=5)
        return Compared.times

    assert compared(LARGE) <= 5 * compared(SMALL) + 100


def test_a_body_of_many_unknown_fields_is_refused_for_the_first_of_them() -> None:
    def many(size: int) -> bytes:
        return msgspec.json.encode({"goal": "x", "workflow": [{"key": "a", "titel": "A"}] * size})

    refused_or_taken(many(SMALL))
    few, more = (steps_of(lambda size=size: refused_or_taken(many(size))) for size in (SMALL, LARGE))  # type: ignore[misc]
    assert more < 2 * few


def test_an_agents_proposal_that_is_too_long_is_refused_before_it_is_read() -> None:
    def proposed(size: int) -> None:
        tasks = tuple(PlanTask(key=f"t{n}", title="T", depends_on=(f"t{n + 1}",) * 5) for n in range(size))
        with pytest.raises(InvalidPlan, match="at most 40"):
            validate_proposal(Plan(tasks=tasks), requirements=("r",))

    few, more = steps_of(lambda: proposed(1_000)), steps_of(lambda: proposed(2_000))
    assert more < 3 * few
