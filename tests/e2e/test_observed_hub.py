"""A hub as Grafana sees it: scraped by a real Prometheus, with its traces at a receiver of the test's own."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from agenthub_events.catalogue.goal import GoalCancelled, GoalCompleted
from agenthub_runtime.telemetry.instruments import ALL, prometheus_names
from tests.docs.dashboard_pages import DASHBOARDS
from tests.docs.dashboards import Panel
from tests.docs.pages import ROOT
from tests.support.otlp import ReceivedSpan, Traces, receiving_traces
from tests.support.running_hub import SAMPLE, RunningHub, clean_environment, running_hub
from tests.support.until import until

pytestmark = pytest.mark.extra

GRAFANA = ROOT / "deploy" / "grafana"
PANELS = [panel for page in DASHBOARDS for panel in page.panels if panel.source == "prometheus"]


class Observed:
    """The hub, what it has pushed, and the Prometheus that scrapes it; one goal is completed, one cancelled."""

    def __init__(self, hub: RunningHub, traces: Traces, prometheus: str) -> None:
        self.hub = hub
        self.traces = traces
        self.http = httpx2.Client(base_url=prometheus, timeout=300, trust_env=False)
        self.completed = hub.submit(SAMPLE)
        self.cancelled = hub.submit({"goal": "Build a price calculator with VAT", "requirements": ["Unit tests"]})

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers at this moment."""
        answer = self.http.get("/api/v1/query", params={"query": query})
        assert answer.status_code == 200, f"{query}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def scraped(self) -> set[str]:
        """The jobs that were scraped with success."""
        return {series["metric"]["job"] for series in self.ask("up == 1")}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A real Prometheus with the rules and the configuration that we ship, in haste; and its folder."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((GRAFANA / "prometheus-one-machine.yaml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["file_sd_configs"][0]["refresh_interval"] = "1s"
    shutil.copytree(GRAFANA / "rules", folder / "rules")
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with (folder / "out.log").open("wb") as out:
        process = subprocess.Popen(
            [
                *("prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb"),
                *("--web.listen-address=127.0.0.1:0", "--log.format=json"),
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(process, folder / "out.log"), folder
    finally:
        process.terminate()
        process.wait(20)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens; it says so once it does."""
    while process.poll() is None:
        found = re.search(r'"address":"(127\.0\.0\.1:[1-9]\d*)"', log.read_text(encoding="utf-8"))
        if found:
            return f"http://{found[1]}"
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def observed(prometheus: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """A hub that tells everything, as it is told to."""
    url, folder = prometheus
    home = tmp_path_factory.mktemp("observed") / "data"
    (folder / "metrics").symlink_to(home / "metrics")
    workers = "architect+planner=1,coding=2,testing=1,debug+security+review=1"
    with receiving_traces() as traces:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "AGENTHUB_METRICS": "127.0.0.1:0",
        }
        with running_hub(home, "--workers", workers, env=env) as hub:
            seen = Observed(hub, traces, url)
            yield seen
            seen.http.close()


@pytest.fixture(scope="module")
def ended(observed: Observed) -> Observed:
    """Both goals have come to their ends."""
    asyncio.run(_to_their_ends(observed))
    return observed


async def _to_their_ends(observed: Observed) -> None:
    hub = observed.hub
    await hub.wait_for(observed.cancelled, "running", "planning", "ready_for_review", "awaiting_human")
    assert hub.post(f"/goals/{observed.cancelled}/cancel", {}).status_code == 202
    await hub.wait_for(observed.completed, "ready_for_review")
    assert hub.post(f"/goals/{observed.completed}/approve", {}).status_code == 202
    await hub.wait_for(observed.completed, "completed")
    await hub.see(observed.cancelled, lambda event: isinstance(event, GoalCancelled))


async def root_of_goal(observed: Observed, goal_id: str) -> ReceivedSpan:
    def there() -> list[ReceivedSpan]:
        return [span for span in observed.traces.of_goal(goal_id) if span.name == "invoke_workflow goal"]

    (root,) = await until(there, 300, "the root of the goal has been exported")
    return root


async def test_the_root_of_a_goal_lasts_from_its_submission_to_its_end(ended: Observed) -> None:
    root = await root_of_goal(ended, ended.completed)

    assert (root.parent_id, root.service) == ("", "agenthub-orchestrator")
    assert root.attributes["agenthub.outcome"] == "completed"
    assert not root.failed
    (done,) = await ended.hub.of(ended.completed, GoalCompleted)
    assert abs(root.nanoseconds[1] / 1e9 - done.timestamp.timestamp()) < 60
    spans = ended.traces.of_goal(ended.completed)
    assert min(span.nanoseconds[0] for span in spans) >= root.nanoseconds[0] - 1_000_000_000
    assert [span.span_id for span in spans if not span.parent_id] == [root.span_id]


async def test_a_cancelled_goal_is_no_error(ended: Observed) -> None:
    root = await root_of_goal(ended, ended.cancelled)

    assert (root.attributes["agenthub.outcome"], root.failed) == ("cancelled", False)
    spans = ended.traces.of_goal(ended.cancelled)
    assert [span.name for span in spans if span.failed and span.name.startswith(("process", "decide"))] == []
    assert "LeaseLost" not in {span.attributes.get("error.type") for span in spans}


async def test_reads_and_batches_have_traces_of_their_own(ended: Observed) -> None:
    name, status = "GET /api/v1/goals/{goal_id}", "http.response.status_code"

    def told() -> list[ReceivedSpan]:
        names = {span.name for span in ended.traces.spans}
        answered = [s for s in ended.traces.spans if s.name == name and s.attributes[status] == 200]
        return answered if {"project batch", "SQL SELECT", "SQL INSERT"} <= names else []

    read, *_ = await until(told, 300, "reads and batches have been exported")
    spans = ended.traces.spans
    assert (read.kind, read.attributes["http.route"]) == ("server", "/api/v1/goals/{goal_id}")
    assert read.attributes["agenthub.goal.id"] in {ended.completed, ended.cancelled}
    assert any(span.parent_id == read.span_id and span.kind == "client" for span in spans)
    batch = [span for span in spans if span.name == "project batch"]
    known = {span.span_id for span in spans}
    assert any(link in known for span in batch for link in span.links)


async def test_a_slow_bucket_leads_to_a_trace(ended: Observed) -> None:
    def pointed() -> set[str]:
        found = ended.traces.exemplars.get("gen_ai.client.operation.duration", set())
        return found & {span.trace_id for span in ended.traces.of_goal(ended.completed)}

    assert await until(pointed, 300, "an exemplar names the trace of the goal")


async def test_every_service_tells_its_figures(ended: Observed) -> None:
    wanted = {f"agenthub-{name}" for name in ("orchestrator", "projector", "gateway", "notifier", "worker")}
    await until(lambda: ended.scraped() >= wanted, 300, "every service has been scraped")
    seen = {series["metric"]["__name__"] for series in ended.ask('{job=~"agenthub-.+"}')}
    told = {item.name for item in ALL if seen.issuperset(prometheus_names(item))}
    # What only happens when something is wrong has no series yet.
    assert {item.name for item in ALL} - told <= {
        "agenthub.model.rests",
        "agenthub.queue.redeliveries",
        "agenthub.spans.lost",
    }


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
async def test_every_panel_has_something_to_show(ended: Observed, panel: Panel) -> None:
    for query in panel.queries.values():
        asked = query.replace("$__rate_interval", "5m")

        def shown(asked: str = asked) -> bool:
            return bool(ended.ask(asked)) or panel.quiet

        await until(shown, 300, f"`{asked}` has a series")


async def test_nothing_that_goes_well_sets_off_an_alert(ended: Observed) -> None:
    await until(lambda: ended.ask("agenthub:http_errors:ratio_rate5m"), 300, "the rules have been evaluated")
    assert ended.ask('ALERTS{alertstate="firing"}') == []


async def test_each_event_is_one_line_in_the_log_of_who_wrote_it(ended: Observed) -> None:
    recorded = await ended.hub.events(ended.completed)
    lines = [json.loads(line) for line in _log_lines(ended.hub) if '"event": "event"' in line]
    of_goal = {line["seq"]: line for line in lines if line["goal_id"] == ended.completed}

    assert sorted(of_goal) == [event.seq for event in recorded]
    assert len([line for line in lines if line["goal_id"] == ended.completed]) == len(recorded)
    for event in recorded:
        line = of_goal[event.seq]
        assert event.subject.split(".")[3:5] == line["type"].split(".")
        assert line["trace_id"] == event.headers["traceparent"].split("-")[1]
        assert line["task_id"] == event.subject.split(".")[2]
    assert {line["service"] for line in of_goal.values()} >= {"gateway", "orchestrator", "Worker-1"}


async def test_the_story_of_all_goals_is_followed_line_by_line(ended: Observed, tmp_path: Path) -> None:
    told = tmp_path / "story.log"
    with told.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agenthub_cli.main", "logs", "--story", "--from", "0"),
            env={**clean_environment(), "AGENTHUB_URL": ended.hub.url, "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            lines = [
                "Human: Submitted goal: Build authentication system with JWT",
                "Human: Submitted goal: Build a price calculator with VAT",
                "Orchestrator: Enqueued tasks: plan-1",
                "Started planning",
                "2 tests failed",
                "Code review approved, ready for deployment",
            ]
            await until(lambda: all(line in told.read_text() for line in lines), 40, "the story has been told")
            assert re.match(r"\[\d\d:\d\d:\d\d\] ", told.read_text())
        finally:
            process.terminate()
            await process.wait()


def _log_lines(hub: RunningHub) -> Iterator[str]:
    for path in hub.data.logs.glob("*.log"):
        yield from path.read_text(encoding="utf-8").splitlines()


def test_the_rules_are_those_that_prometheus_takes_and_do_what_they_should() -> None:
    check, test = (
        ("check", "rules", "rules/slo.yaml", "rules/alerts.yaml"),
        ("test", "rules", "rules/alerts_test.yaml"),
    )
    for words in (check, test):
        ran = subprocess.run(
            ["promtool", *words], cwd=GRAFANA, capture_output=True, text=True, env=clean_environment(), check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in ("prometheus.yaml", "prometheus-one-machine.yaml"):
        ran = subprocess.run(
            ["promtool", "check", "config", "--syntax-only", name],
            cwd=GRAFANA,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
