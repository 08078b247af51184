"""What does not fit is named where it stands, all of it at once."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.running_hub import RunningHub
from tests.ui.visitor import Visitor

# What the browser itself prints of a refusal that the test has provoked.
_REFUSED = "the server responded with a status of 422"


def test_every_field_of_a_new_goal_that_does_not_fit_is_named_at_once(hub: RunningHub, visitor: Visitor) -> None:
    before = len(hub.get("/goals")["items"])
    page = visitor.open("/new")
    page.get_by_label("Goal", exact=True).fill("Build it")
    page.get_by_label("Repository").fill("somewhere")
    page.get_by_label("Network").fill("*.example.org api.example.org a/b")
    page.get_by_label("Time").fill("soon")
    page.get_by_label("Budget").fill("a lot")
    page.get_by_label("Model calls").fill("1.5")
    page.keyboard.press("Control+Enter")
    for label, words in (
        ("Network", "No. 1: A pattern names hosts that nobody has looked at: name each host\nNo. 3: "),
        ("Time", "`soon`"),
        ("Budget", "Not a number"),
        ("Model calls", "Not a whole number"),
    ):
        field = page.get_by_label(label, exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        assert words in page.locator(f"[id='{field.get_attribute('aria-describedby')}']").inner_text()
    expect(page.get_by_label("Network")).to_be_focused()
    visitor.picture("submit-several-wrong")
    assert visitor.findings() == []
    page.get_by_label("Budget").fill("5")
    page.get_by_label("Model calls").fill("")
    # What is of the right form is read on: where it would be worked on is looked at, too.
    expect(page.get_by_label("Repository")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Time")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Budget")).to_have_attribute("aria-invalid", "false")
    assert len(hub.get("/goals")["items"]) == before
    visitor.complaints = [line for line in visitor.complaints if _REFUSED not in line]
