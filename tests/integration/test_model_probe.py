"""One cheap call that says whether the model can be worked with, and how the hub asks its workers for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_runtime.jetstream.fleet import ModelReport, ask_for_model, serve_model_reports
from agenthub_worker.llm.probe import ModelReporter, probed, report_of
from agenthub_worker.llm.providers import Provider, ProviderSettings, choose_provider
from agenthub_worker.rehearsal.server import ScriptedModelServer
from tests.support.odd_model import Habit, OddModel, answer, as_json, error, stream, text

COUNTED = as_json({"input_tokens": 12})
NOT_FOUND = as_json({"detail": "Not Found"}, status=404)
ONE_TOKEN = stream(text("y"), stop="max_tokens")


def at(url: str, *, api_key: str = "") -> Provider:
    return choose_provider(ProviderSettings(provider="local", base_url=url, model="coder", api_key=api_key))


async def looked(*habits: Habit) -> tuple[ModelReport, list[str]]:
    """The report after a probe of a server with these habits, and the paths that were asked."""
    async with OddModel(*habits) as model:
        provider = at(model.url)
        report = await probed(report_of(provider, ("planner", "coding"), None), provider)
    return report, [request.path for request in model.requests]


async def test_a_server_that_counts_is_asked_for_nothing_more() -> None:
    report, paths = await looked(COUNTED)
    assert (report.state, paths) == ("ok", ["/v1/messages/count_tokens"])
    assert "no charge" in report.found
    assert report.models == {"planner": "coder", "coding": "coder"}
    assert "not known for coder" in report.prices


@pytest.mark.parametrize(
    "habit", [NOT_FOUND, answer(b"", status=405), answer(b"<html>", status=404, kind="text/html")]
)
async def test_a_server_that_cannot_count_is_asked_for_one_token(habit: Habit) -> None:
    async with OddModel(habit, ONE_TOKEN) as model:
        report = await probed(report_of(at(model.url), ("coding",), None), at(model.url))
    assert report.state == "ok"
    assert [request.path for request in model.requests] == ["/v1/messages/count_tokens", "/v1/messages"]
    assert model.bodies[1]["max_tokens"] == 1


@pytest.mark.parametrize(
    ("habit", "words", "calls"),
    [
        (error("authentication_error", "invalid x-api-key", 401), "x-api-key", 1),
        (error("not_found_error", "model: coder", 404), "coder", 1),
        (as_json({"error": "model 'coder' not found"}, status=404), "'coder' not found", 1),
        (answer(b"<html>hello</html>", kind="text/html"), "does not speak the Messages API", 1),
        (answer(b"", status=302, headers={"location": "https://x.example"}), "x.example", 1),
        (error("overloaded_error", "Overloaded", 529), "Overloaded", 1),
        (NOT_FOUND, "does not speak the Messages API", 2),
    ],
)
async def test_a_probe_that_fails_says_why(habit: Habit, words: str, calls: int) -> None:
    report, paths = await looked(habit)
    assert (report.state, len(paths)) == ("failed", calls)
    assert words in report.found


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://no-such-host.invalid:8080/x"])
async def test_nobody_at_the_address_is_unreachable(address: str) -> None:
    report = await probed(report_of(at(address), ("coding",), None), at(address))
    assert report.state == "failed"
    assert "unreachable" in report.found
    assert address in report.found


async def test_the_rehearsal_model_answers_its_probe() -> None:
    async with ScriptedModelServer() as server:
        provider = choose_provider(ProviderSettings(provider="rehearsal", base_url=server.url))
        report = await probed(report_of(provider, ("coding",), None), provider)
    assert report.state == "ok"
    assert server.requests == []


def test_each_type_has_the_model_of_its_setting_or_its_file(tmp_path: Path) -> None:
    settings = ProviderSettings(api_key="k", models={"coding": "haiku"})
    report = report_of(choose_provider(settings), ("planner", "coding", "noop"), tmp_path)
    assert report.models == {"planner": "claude-opus-5-5", "coding": "claude-haiku-5-5"}
    assert report.prices.startswith("agenthub's table of")


async def test_the_hub_asks_a_worker_and_the_worker_its_model_once_a_minute(bus: Client) -> None:
    assert await ask_for_model(bus, probe=True) is None
    async with OddModel(COUNTED) as model:
        provider = at(model.url, api_key="s3cret")
        reporter = ModelReporter(provider, report_of(provider, ("coding",), None, worker="Worker-1"))
        await serve_model_reports(bus, reporter.answer)
        told = [await ask_for_model(bus, probe=probe) for probe in (False, True, True)]
    assert [(report.worker, report.state) for report in told if report] == [
        ("Worker-1", "not asked"),
        ("Worker-1", "ok"),
        ("Worker-1", "ok"),
    ]
    assert len(model.requests) == 1
    assert "s3cret" not in str(told)
