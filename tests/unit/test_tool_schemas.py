"""What models see of the tools, and what a wrong call is told."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agenthub_events.catalogue.values import Plan, PlanAnalysis, PlanTask
from agenthub_runtime.agents.tool_names import ALL_TOOLS
from agenthub_worker.errors import ToolRefused
from agenthub_worker.tools.contract import cut
from agenthub_worker.tools.control import RequestTasks, SubmitPlan
from agenthub_worker.tools.registry import CONTROL, ENDINGS, REPAIRS, TOOLS, decoded, definitions, offered
from agenthub_worker.tools.searching import _fits

CALLS: dict[str, dict[str, Any]] = {
    "bash": {"command": "ls", "timeout_s": 5},
    "str_replace_based_edit_tool": {"command": "view", "path": "a.py", "view_range": [1, -1]},
    "glob": {"pattern": "**/*.py", "path": "src"},
    "grep": {"pattern": "def .*", "glob": "*.py"},
    "run_tests": {"paths": ["tests/test_a.py"]},
    "git_diff": {"path": "src"},
    "report_result": {
        "status": "done",
        "summary": "Made it",
        "tests_run": "3 passed",
        "insights": ["x"],
        "findings": [{"file": "a.py", "line": 3, "severity": "high", "message": "m"}],
        "verdict": "request_changes",
    },
    "more": {"id": "o-1", "page": 2},
    "ask_human": {"question": "Which?", "options": ["a", "b"], "consequences": ["c", "d"], "evidence": "e"},
    "request_tasks": {"tasks": [{"key": "k", "title": "t", "agent": "coding"}], "reason": "r"},
    "record_knowledge": {"kind": "decision", "text": "HS256"},
    "submit_plan": {
        "analysis": {"summary": "s", "complexity": "low", "assumptions": ["a"]},
        "tasks": [
            {
                "key": "k",
                "title": "t",
                "details": "d",
                "agent": "coding",
                "depends_on": [],
                "complexity": "high",
                "estimate_minutes": 5,
                "acceptance": ["a"],
                "requirement_ids": ["R1"],
                "writes": ["src/**"],
                "timeout_s": 60,
            }
        ],
    },
}


def test_every_tool_of_the_contract_is_there() -> None:
    assert set(TOOLS) == set(CALLS)
    assert {"report_result", "ask_human", "request_tasks", "record_knowledge", "submit_plan"} == CONTROL
    assert {name for name, tool in TOOLS.items() if tool.mutates} == {
        "bash",
        "str_replace_based_edit_tool",
        "run_tests",
    }


def test_a_file_can_grant_every_tool_that_is_no_control_tool_and_no_other() -> None:
    # Whoever may run anything may read on in what it said.
    assert set(ALL_TOOLS) == TOOLS.keys() - CONTROL - {"more"}


def test_which_calls_end_a_run_and_which_are_on_offer_follow_from_the_tools() -> None:
    assert {"report_result", "ask_human", "submit_plan"} == ENDINGS
    assert REPAIRS == {"report_result": 3, "submit_plan": 2, "ask_human": 2}
    everywhere = {"bash", "more", "ask_human", "record_knowledge"}
    assert offered("plan", ["bash"]) == everywhere | {"submit_plan"}
    assert offered("gate", ["bash"]) == everywhere | {"report_result"}
    for kind in ("work", "debug", "fix", "merge"):
        assert offered(kind, ["bash"]) == everywhere | {"report_result", "request_tasks"}


@pytest.mark.parametrize("name", sorted(CALLS))
def test_schemas_are_plain_objects_that_accept_what_the_tool_accepts(name: str) -> None:
    (definition,) = definitions([name])
    schema = definition["input_schema"]
    assert schema["type"] == "object"
    assert "$ref" not in schema
    assert definition["description"]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(CALLS[name])
    assert isinstance(decoded(TOOLS[name], CALLS[name]), TOOLS[name].input)
    assert not Draft202012Validator(schema).is_valid({**CALLS[name], "unknown_field": 1})


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("bash", {}, ["`command`", "missing"]),
        ("bash", {"command": ""}, ["$.command"]),
        ("bash", {"command": "ls", "timeout_s": 9999}, ["$.timeout_s", "<= 600"]),
        ("bash", {"command": "x" * 30_001}, ["$.command", "30000"]),
        ("bash", {"cmd": "ls"}, ["cmd", "`command`"]),
        ("bash", "ls", ["object"]),
        ("bash", None, ["object"]),
        ("str_replace_based_edit_tool", {"command": "undo", "path": "a"}, ["undo", "$.command"]),
        ("report_result", {"status": "ok", "summary": "x"}, ["ok", "$.status"]),
        ("report_result", {"status": "done", "summary": "x" * 60_001}, ["$.summary", "60000"]),
        ("ask_human", {"question": "x", "evidence": "x" * 60_001}, ["$.evidence", "60000"]),
        ("record_knowledge", {"kind": "rumour", "text": "x"}, ["rumour"]),
        ("submit_plan", {"analysis": {"summary": "s"}, "tasks": [{"key": "a"}]}, ["title", "$.tasks[0]"]),
    ],
)
def test_a_wrong_input_is_named_with_its_field_and_the_fields_there_are(
    name: str, given: Any, words: list[str]
) -> None:
    with pytest.raises(ToolRefused) as caught:
        decoded(TOOLS[name], given)
    for word in words:
        assert word in str(caught.value)


def test_a_submitted_plan_becomes_the_plan_of_the_language() -> None:
    submitted = decoded(TOOLS["submit_plan"], CALLS["submit_plan"])
    assert isinstance(submitted, SubmitPlan)
    task = PlanTask(
        key="k",
        title="t",
        details="d",
        complexity="high",
        estimate_minutes=5,
        acceptance=("a",),
        requirement_ids=("R1",),
        writes=("src/**",),
        timeout_s=60,
    )
    assert submitted.plan() == Plan(
        tasks=(task,), analysis=PlanAnalysis(summary="s", complexity="low", assumptions=("a",))
    )
    requested = decoded(TOOLS["request_tasks"], CALLS["request_tasks"])
    assert isinstance(requested, RequestTasks)
    assert requested.plan_tasks() == (PlanTask(key="k", title="t"),)


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert cut("short", 10) == "short"
    shown = cut("a" * 50 + "b" * 50, 20)
    assert shown.startswith("a" * 10)
    assert shown.endswith("b" * 10)
    assert "80 characters cut" in shown


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("a.py", "*.py", True),
        ("d/a.py", "*.py", False),
        ("d/a.py", "**/*.py", True),
        ("a.py", "**/*.py", True),
        ("d/e/a.py", "d/**", True),
        ("d/e/f/a.py", "d/**/a.py", True),
        ("d/a.py", "d/**/a.py", True),
        ("x/d/a.py", "d/**/a.py", False),
        ("tests/test_a.py", "tests/test_?.py", True),
        ("a/b/c", "**/**/c", True),
        ("a" * 200, "*a" * 60 + "b", False),
    ],
)
def test_glob_patterns(path: str, pattern: str, fits: bool) -> None:
    assert _fits(path.split("/"), pattern.split("/")) is fits


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a": ' * 50_000, '["\ud800"]', "[\ud800", '{"\udcff": 1}', "[oops"]
)
def test_json_text_that_cannot_be_read_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(ToolRefused, match="does not fit"):
        decoded(TOOLS["ask_human"], {"question": 5, "options": text})
    with pytest.raises(ToolRefused, match="does not fit"):
        decoded(TOOLS["run_tests"], {"paths": text})
