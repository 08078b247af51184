"""Logs: one JSON object a line, no credentials, trace ids where a span is active."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from agenthub_events.redaction import KnownSecrets
from agenthub_runtime.settings.records import LogSettings
from agenthub_runtime.telemetry.conventions import GOAL_ID, TASK_ID, WORKER
from agenthub_runtime.telemetry.logs import configure_logging, mask_also
from agenthub_runtime.telemetry.place import at_place
from tests.support.secret_samples import SECRETS


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    yield stream
    structlog.reset_defaults()
    logging.basicConfig(handlers=[], force=True)


def _configure(output: io.StringIO, log_format: str = "auto", level: str = "info") -> None:
    configure_logging(
        LogSettings(format=log_format, level=level, otlp_endpoint=""), service="worker", stream=output
    )


def test_a_line_is_one_json_object_with_its_service_and_time(output: io.StringIO) -> None:
    _configure(output)
    structlog.get_logger().info("task_started", task_id="t-1")
    line = json.loads(output.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "task_started", "task_id": "t-1", "level": "info", "service": "worker"}


def test_credentials_are_masked_in_fields_texts_and_errors(output: io.StringIO) -> None:
    _configure(output)
    log = structlog.get_logger()
    log.info("x", password="hush1", api_key="hush2", url="nats://agenthub:hush3@127.0.0.1:1", tokens_in=5)
    try:
        raise ValueError("sk-ant-hush4hush4hush4")
    except ValueError:
        log.exception("y")
    logging.getLogger("library").warning("at nats://agenthub:hush5@127.0.0.1:1")
    text = output.getvalue()
    assert "hush" not in text
    assert '"tokens_in": 5' in text
    assert "ValueError" in text
    assert len([json.loads(line) for line in text.splitlines()]) == 3


def test_known_secrets_are_masked_in_everything_that_is_logged(output: io.StringIO) -> None:
    settings = LogSettings(
        format="json", level="info", otlp_endpoint="", secrets=KnownSecrets(["operators-secret-1"])
    )
    configure_logging(settings, service="worker", stream=output)
    log = structlog.get_logger()
    log.info("x", said="operators-secret-1", deep=[{"k": "operators-secret-1"}])
    try:
        raise ValueError("operators-secret-1")
    except ValueError:
        log.exception("y")
    logging.getLogger("library").warning("operators-secret-1")
    assert "operators-secret" not in output.getvalue()
    assert [json.loads(line)["event"] for line in output.getvalue().splitlines()] == ["x", "y", "[redacted]"]


async def test_the_secrets_of_an_attempt_are_masked_in_its_task_and_those_that_it_starts(
    output: io.StringIO,
) -> None:
    _configure(output)
    learned: list[str] = []

    async def say() -> None:
        structlog.get_logger().info("x", said="secret-of-a-goal-1")

    async def attempt() -> None:
        mask_also(lambda: KnownSecrets(learned))
        learned.append("secret-of-a-goal-1")
        await say()
        await asyncio.gather(say(), say())

    await asyncio.create_task(attempt())
    assert "secret-of-a-goal-1" not in output.getvalue()
    await say()
    assert output.getvalue().count("secret-of-a-goal-1") == 1, "others do not know it"


def test_lines_for_people_are_plain_text(output: io.StringIO) -> None:
    _configure(output, "console")
    structlog.get_logger().info("task_started", task_id="t-1")
    assert "task_started" in output.getvalue()
    assert not output.getvalue().startswith("{")


def test_less_important_lines_are_left_out(output: io.StringIO) -> None:
    _configure(output, level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    assert output.getvalue() == ""


def test_an_active_span_shows_its_ids(output: io.StringIO) -> None:
    _configure(output)
    with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
        structlog.get_logger().info("inside")
    line = json.loads(output.getvalue())
    assert int(line["trace_id"], 16) == span.get_span_context().trace_id
    assert len(line["span_id"]) == 16


def test_what_others_said_is_one_line_without_terminal_code_on_a_console(output: io.StringIO) -> None:
    _configure(output, "console")
    said = "\x1b]52;c;ZXZpbA==\x07\x9b31m\n2026-01-01 [error] goal_lost\r\u202eover"
    structlog.get_logger().info("x", said=said, deep=[said])
    structlog.get_logger().info(said)
    logging.getLogger("library").warning("of %s", said)
    try:
        raise ValueError(said)
    except ValueError:
        structlog.get_logger().exception("y")
    text = output.getvalue()
    assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e"} & set(text)
    shown = r"\x1b]52;c;ZXZpbA==\x07\x9b31m\n2026-01-01 [error] goal_lost\r\u202eover"
    assert shown in text
    assert [line for line in text.splitlines() if line.startswith("2026-01-01")] == [
        r"2026-01-01 [error] goal_lost\r\u202eover"
    ], "only in the traceback, which has lines of its own"


def test_a_line_says_where_it_was_written_unless_it_names_the_place_itself(output: io.StringIO) -> None:
    _configure(output)
    log = structlog.get_logger()
    with at_place({GOAL_ID: "g-1", TASK_ID: "t-a", WORKER: "Worker-1"}):
        log.info("inside")
        log.info("of_another", goal_id="g-2")
    log.info("outside")

    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [(line.get("goal_id"), line.get("task_id")) for line in lines] == [
        ("g-1", "t-a"),
        ("g-2", "t-a"),
        (None, None),
    ]


@pytest.mark.parametrize("sample", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("among", [{}, {"seq": 7, "goal_id": "g-1"}, {"first": "a\x00b", "last": "ä"}])
def test_i9_a_look_at_the_whole_line_misses_no_secret(
    output: io.StringIO, sample: str, among: dict[str, object]
) -> None:
    _configure(output)
    structlog.get_logger().info("event", said=f"use {sample} now", **among)
    assert sample.splitlines()[-1] not in output.getvalue()
