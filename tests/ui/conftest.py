"""A browser and hubs for it: `make test-ui`. Debian's chromium is used; playwright brings none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.running_hub import BLOCKED_SAMPLE, Body, RunningHub, running_hub
from tests.ui.visitor import CHROMIUM, WITHIN_MS, Visitor, rested

SAMPLE: Body = {
    "goal": "Build authentication system with JWT",
    "requirements": [
        "JWT tokens",
        "Refresh token rotation",
        "Password hashing",
        "Unit tests >80% coverage",
        "Security audit",
        "API documentation",
    ],
    "constraints": {"max_time": "24 hours", "max_cost_usd": 20},
}
# How fast this machine is decides no test; what is promised in milliseconds is measured and printed.
expect.set_options(timeout=WITHIN_MS)
WORKERS = "architect+planner=1,coding=2,testing=1,debug+security+review=1"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One chromium for the whole session."""
    with sync_playwright() as playwright:
        # Root needs it in a container, and every page is our own.
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub with the rehearsal model, for every test of the session that submits goals of its own."""
    with running_hub(tmp_path_factory.mktemp("ui") / "hub", "--workers", WORKERS) as running:
        yield running


@pytest.fixture(scope="session")
def furnished(hub: RunningHub) -> RunningHub:
    """The hub with a goal in each state that a person meets."""
    ready = hub.submit(SAMPLE, key="ready")
    asks = hub.submit(BLOCKED_SAMPLE, key="asks")
    plan = hub.submit({**SAMPLE, "autonomy": "approve_plan"}, key="plan")
    hostile = {"goal": f"<img src=x onerror=alert(1)> {'W' * 300} שלום", "requirements": ["<script>1</script>"]}
    stuck = hub.submit(hostile, key="stuck")
    given_up = hub.submit({"goal": "Cancelled on the way"}, key="cancelled")
    rested(hub, ready, "ready_for_review")
    rested(hub, asks, "awaiting_human")
    rested(hub, plan, "workflow_generated")
    rested(hub, stuck, "awaiting_human")
    hub.post(f"/goals/{given_up}/cancel", {"reason": "only to be seen"})
    rested(hub, given_up, "cancelled")
    return hub


def ready_goal(hub: RunningHub) -> str:
    """The finished goal of `furnished`, whatever other tests have played on this hub: a key names one goal."""
    return hub.submit(SAMPLE, key="ready")


@pytest.fixture
def visitor(browser: Browser, hub: RunningHub, tmp_path: Path) -> Iterator[Visitor]:
    """A person at a desktop, in the light scheme; says at the end what the browser complained about."""
    with Visitor(browser, hub.url, tmp_path) as visiting:
        yield visiting
        assert visiting.complaints == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole goals are played under a browser: that takes longer than other tests may."""
    for item in items:
        if item.path.parent.name == "ui":
            item.add_marker(pytest.mark.timeout(3_600))
