"""How the hub did in the last days, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.running_hub import RunningHub
from tests.ui.visitor import Visitor

MEASURED_MS = 300_000
CHARTS = ("Age of the oldest order", "Events a second", "Read models behind", "A model call", "Cost an hour")


def test_the_hub_of_the_last_days_is_drawn_below_the_goals_and_told_in_words(
    hub: RunningHub, visitor: Visitor
) -> None:
    goal_id = hub.submit({"goal": "Cancelled on the way"}, key="measured")
    hub.post(f"/goals/{goal_id}/cancel", {"reason": "only to be counted"})
    page = visitor.open("/analytics")
    region = page.get_by_role("region", name="The hub in the last 7 days")
    for name in CHARTS:
        expect(region.get_by_role("img", name=re.compile(f"^{name}: "))).to_be_visible()
    events = region.get_by_role("img", name=re.compile("^Events a second: highest 0[.]0*[1-9]"))
    expect(events).to_be_visible(timeout=MEASURED_MS)
    assert visitor.findings() == []
    events.scroll_into_view_if_needed()
    visitor.picture("analytics-hub")
