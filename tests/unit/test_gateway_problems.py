"""The one table of problems, and the errors that it translates."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

import pytest
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from agenthub_events import errors as language_errors
from agenthub_events.errors import AgenthubError, CommandRefused, InvalidInput, InvalidPlan, StoreUnavailable
from agenthub_events.rules import goal_aggregate
from agenthub_gateway.commands import goal_events, questions, tasks
from agenthub_gateway.errors import FieldError, InvalidBody
from agenthub_gateway.problems import PROBLEMS, problem_of

DECIDERS: tuple[ModuleType, ...] = (goal_aggregate, goal_events, questions, tasks)


def refusal_codes(module: ModuleType) -> set[str]:
    """Every code with which a module refuses a command."""
    return {
        str(node.args[0].value)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "CommandRefused"
        and isinstance(node.args[0], ast.Constant)
    }


@pytest.mark.parametrize("module", DECIDERS)
def test_every_refusal_has_a_row(module: ModuleType) -> None:
    codes = refusal_codes(module)
    assert codes
    for code in codes:
        found = problem_of(CommandRefused(code, "because"))
        assert found.status in (404, 409), code
        assert found.detail == "because"


def test_slugs_and_texts_are_fit_for_people() -> None:
    for slug, kind in PROBLEMS.items():
        assert slug == slug.lower().strip("-")
        assert kind.title
        assert kind.remedy.endswith(".")
        assert 400 <= kind.status < 600


def test_errors_of_input_name_their_places() -> None:
    assert problem_of(InvalidInput("too long", field="goal")).errors == (FieldError("goal", "too long"),)
    plan = problem_of(InvalidPlan(("one", "two")))
    assert (plan.status, plan.errors) == (422, (FieldError("tasks", "one"), FieldError("tasks", "two")))
    body = problem_of(InvalidBody([FieldError("a", "no"), FieldError("b", "never")]))
    assert (body.status, body.detail, len(body.errors)) == (422, "no; never", 2)


def test_what_is_not_expected_says_nothing_about_the_inside() -> None:
    for error in (ValueError("password=hunter2"), KeyError("secret"), AgenthubError("inside")):
        found = problem_of(error)
        assert found.status == 500
        assert "hunter2" not in found.detail
        assert "inside" not in found.detail.replace("inside the gateway", "")


def test_the_language_s_errors_are_all_known() -> None:
    assert problem_of(StoreUnavailable("x")).type == "/problems/log-unavailable"
    assert problem_of(language_errors.ArtifactMissing("x")).status == 410
    assert problem_of(NotFoundException()).type == "/problems/not-found"
    assert problem_of(MethodNotAllowedException()).type == "/problems/method-not-allowed"
