"""A refusal in the words of the command line: options instead of fields, no types, no status."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agenthub_cli.client.answers import failure
from agenthub_cli.client.transport import Response
from agenthub_cli.client.wording import place, told


@pytest.mark.parametrize(
    ("key", "message", "said"),
    [
        ("constraints.max_time", "`soon` is no duration", "--max-time: `soon` is no duration"),
        ("requirements[0]", "Expected `str` of length >= 1", "--requirement: it is empty"),
        (
            "requirements[2]",
            "Expected `str` of length <= 500",
            "--requirement number 3: it is too long: at most 500 characters",
        ),
        ("notify[0]", "Expected `str` of length >= 3", "--notify: it is too short: at least 3 characters"),
        ("requirements", "Expected `array` of length <= 50", "--requirement: there are too many: at most 50"),
        ("constraints.min_coverage", "Expected `float` <= 100.0", "--min-coverage: it must be at most 100"),
        ("constraints.max_llm_calls", "Expected `int` >= 0", "--max-llm-calls: it must be at least 0"),
        (
            "tasks[1].title",
            "Expected `str`, got `int`",
            "`title` of task 2 of the plan: it must be a text, and is a whole number",
        ),
        (
            "workflow[0]",
            "Object contains unknown field `dependson`",
            "task 1 of --workflow: nobody knows `dependson`",
        ),
        ("workflow[0]", "Object missing required field `title`", "task 1 of --workflow: `title` is missing"),
        (
            "workflow",
            "Expected `array | null`, got `object`",
            "--workflow: it must be a list, and is an object",
        ),
        ("tasks[0].title", "This field is required", "`title` of task 1 of the plan: it is missing"),
        (
            "tasks[0].bogus",
            "Unknown field `bogus`; known are `key`, `timeout_s`",
            "`bogus` of task 1 of the plan: Unknown field `bogus`; known are `key`, `timeout_s`",
        ),
        ("edits.timeout_s", "Expected `int` >= 1", "--timeout-s: it must be at least 1"),
        ("max_cost_usd", "Expected `float` > 0.0", "--max-cost-usd: it must be more than 0"),
        ("agent", "unknown agent `x`: known are coding", "unknown agent `x`: known are coding"),
        ("cron", "Expected `str` of length >= 9", "the cron expression: it is too short: at least 9 characters"),
        (
            "from",
            "The read models hold events up to 7, you asked for 99",
            "--from: The hub shows events up to 7 so far: event 99 comes in a moment, or there is none yet",
        ),
        ("at_seq", "Event 9 lies behind this goal", "--at-seq: Event 9 lies behind this goal"),
        (
            "name",
            "Expected `str` matching regex '^[a-z0-9][a-z0-9-]*$'",
            "the name: it takes small letters, digits and dashes, and begins with no dash",
        ),
        ("feedback", "Expected `str` of length >= 1", "the feedback: it is empty"),
        ("status", "There is no status `nope`", "--status: There is no status `nope`"),
        (
            "max_llm_calls",
            "max_llm_calls is 500: it can only be raised",
            "--max-llm-calls is 500: it can only be raised",
        ),
    ],
)
def test_a_place_is_an_option_and_a_bound_is_a_sentence(key: str, message: str, said: str) -> None:
    assert told(message, [{"key": key, "message": message}]) == said


def test_several_places_have_a_line_each_and_what_all_share_is_said_once() -> None:
    errors = [{"key": "test_command", "message": "it is too long"}, {"key": "ref", "message": "no such branch"}]
    assert told("The body does not fit", errors).splitlines() == [
        "The body does not fit",
        "  --test-command: it is too long",
        "  --ref: no such branch",
    ]
    errors = [
        {"key": "constraints.max_time", "message": "`soon` is no duration"},
        {"key": "constraints.max_llm_calls", "message": "Expected `int` >= 0"},
    ]
    assert told("`soon` is no duration; Expected `int` >= 0", errors).splitlines() == [
        "--max-time: `soon` is no duration",
        "  --max-llm-calls: it must be at least 0",
    ]
    assert told("max_cost_usd is 5: it can only be raised", ()) == "--max-cost-usd is 5: it can only be raised"
    assert place("[?]") == "[?]"


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (
            422,
            {"detail": "it is wrong", "errors": [{"key": "ref", "message": "it is wrong"}]},
            2,
            "--ref: it is wrong",
        ),
        (409, {"detail": "Goal `g` is completed"}, 1, "Goal `g` is completed"),
        (404, {"title": "There is nothing here", "errors": 5}, 1, "There is nothing here"),
        (502, ["x"], 1, "Bad Gateway (HTTP 502)"),
        (500, {"detail": 5}, 1, "Bad Gateway (HTTP 500)"),
    ],
)
def test_only_what_no_hub_has_said_shows_a_status(status: int, body: Any, code: int, said: str) -> None:
    refused = failure("http://hub", Response(status, "Bad Gateway", {}, json.dumps(body).encode()))
    assert (str(refused), refused.code) == (said, code)
