"""A hub with keys, in a browser: the form, the link of `agenthub open`, and what a page elsewhere can do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.support.running_hub import RunningHub, running_hub
from tests.ui.visitor import WITHIN_MS, Visitor, just_before

KEY = "s3cret-of-anna-99"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    env = {"AGENTHUB_API_KEYS": f"anna:{KEY}"}
    with running_hub(tmp_path_factory.mktemp("keyed") / "hub", "--workers", "coding=1", env=env) as running:
        yield running


def link_of(hub: RunningHub, folder: Path) -> str:
    """What `agenthub open` gives to the browser of this machine."""
    opened = folder / "opened"
    note = folder / "note.sh"
    note.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    note.chmod(0o755)
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "AGENTHUB_API_KEY": KEY, "BROWSER": f"{note} %s"}
    command = [sys.executable, "-m", "agenthub_cli.main", "open", "--url", hub.url]
    subprocess.run(command, env=env, check=True, timeout=WITHIN_MS / 1_000)
    return opened.read_text()


def test_a_key_signs_in_for_longer_than_a_tab_and_signing_out_ends_it(
    browser: Browser, keyed: RunningHub, tmp_path: Path
) -> None:
    with Visitor(browser, keyed.url, tmp_path) as visitor:
        page = visitor.open("/inbox")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert visitor.findings() == []
        assert visitor.complaints == [], "the page asks who is there before it asks for anything else"
        visitor.picture("sign-in")
        page.get_by_label("Your key").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The hub does not know this key")).to_be_visible()
        assert visitor.findings() == []
        page.get_by_label("Your key").fill(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Nobody needs you")).to_be_visible()
        expect(page.locator(".log-chip.live")).to_be_visible()
        assert (
            page.evaluate("document.cookie + JSON.stringify({...sessionStorage, ...localStorage})").find(KEY) < 0
        )
        assert page.evaluate("document.cookie") == "", "no script reads the session"
        assert visitor.findings() == []
        (cookie,) = visitor.context.cookies()
        second = visitor.context.new_page()
        second.goto(keyed.url)
        expect(second.get_by_role("heading", name="No goals yet")).to_be_visible()
        second.get_by_role("button", name="Sign out").click()
        expect(second.get_by_role("heading", name="Sign in")).to_be_visible()
        stolen = {"Cookie": f"{cookie['name']}={cookie['value']}"}
        assert httpx2.get(f"{keyed.url}/api/v1/goals", headers=stolen, trust_env=False).status_code == 401


def test_the_command_line_opens_a_link_that_works_once(
    browser: Browser, keyed: RunningHub, tmp_path: Path
) -> None:
    link = link_of(keyed, tmp_path)
    with Visitor(browser, keyed.url, tmp_path) as owner, Visitor(browser, keyed.url, tmp_path) as thief:
        owner.page.goto(link)
        expect(owner.page.get_by_role("heading", name="No goals yet")).to_be_visible()
        assert owner.page.url == f"{keyed.url}/", "the link stays neither in the address nor in the history"
        assert owner.complaints == []
        thief.page.goto(link)
        expect(thief.page.get_by_role("alert")).to_contain_text("The link opens nothing any more")
        thief.picture("sign-in-spent")
        assert thief.findings() == []


def test_a_page_on_another_port_of_this_machine_can_do_nothing_with_the_session(
    browser: Browser, keyed: RunningHub, tmp_path: Path
) -> None:
    with (
        running_hub(tmp_path / "other", "--workers", "coding=1") as other,
        Visitor(browser, keyed.url, tmp_path) as visitor,
    ):
        visitor.page.goto(link_of(keyed, tmp_path))
        expect(visitor.page.get_by_role("heading", name="No goals yet")).to_be_visible()
        visitor.page.goto(f"{other.url}/health")
        visitor.page.evaluate(
            """async (hub) => {
              const wanted = {method: 'POST', credentials: 'include', mode: 'no-cors', body: '{"goal": "x"}'};
              await fetch(`${hub}/api/v1/goals`, wanted).catch(() => null);
              const form = document.createElement('form');
              form.action = `${hub}/api/v1/goals`;
              form.method = 'post';
              form.enctype = 'text/plain';
              document.body.append(form);
              form.submit();
            }""",
            keyed.url,
        )
        visitor.page.wait_for_url(f"{keyed.url}/api/v1/goals")
        visitor.open("/")
        expect(visitor.page.get_by_role("heading", name="No goals yet")).to_be_visible()


@pytest.mark.parametrize("way", ["expired", "signed out elsewhere"])
def test_a_session_that_ends_under_an_open_page_leads_back_to_it_with_all_that_was_typed(
    browser: Browser, keyed: RunningHub, tmp_path: Path, way: str
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    submitted = keyed.http.post("/api/v1/goals", json={"goal": "Nobody plans this"}, headers=headers)
    goal_id = submitted.json()["goal_id"]
    with Visitor(browser, keyed.url, tmp_path) as visitor:
        visitor.page.goto(link_of(keyed, tmp_path))
        expect(visitor.page.locator(".log-chip.live")).to_be_visible()
        page = visitor.open(f"/goals/{goal_id}?tab=usage")
        visitor.settle()
        page.get_by_role("button", name="Cancel", exact=True).click()
        dialog = page.get_by_role("dialog", name="Cancel goal")
        dialog.get_by_label("Reason").fill("because of the weather")
        other = visitor.context.new_page()
        other.goto(keyed.url)

        def ends() -> None:
            if way == "expired":
                visitor.context.clear_cookies()
                return
            other.get_by_role("button", name="Sign out").click()
            expect(other.get_by_role("heading", name="Sign in")).to_be_visible()

        # Earlier the page might notice by itself, before anything is asked for.
        just_before(page, "/cancel", ends)
        dialog.get_by_role("button", name="Cancel goal").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="Your session has ended.")).to_be_visible()
        expect(page.locator(".shell")).not_to_be_visible()
        expect(page).to_have_title("Sign in · agenthub")
        visitor.picture("sign-in-ended")
        assert visitor.findings() == []
        page.get_by_label("Your key").fill(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("tab", name="Usage")).to_have_attribute("aria-selected", "true")
        expect(page.locator(".log-chip.live")).to_be_visible()
        failed = page.get_by_role("alert").filter(has_text="Your session had ended")
        expect(failed).to_be_visible()
        page.get_by_role("button", name="Cancel", exact=True).click()
        expect(dialog.get_by_label("Reason")).to_have_value("because of the weather")
        page.keyboard.press("Escape")
        failed.get_by_role("button", name="Retry").click()
        expect(page.locator(".head .chip").first).to_have_text("Cancelled")
        assert [line for line in visitor.complaints if "status of 401" not in line] == []


def test_another_person_who_signs_in_finds_nothing_of_the_one_before(browser: Browser, tmp_path: Path) -> None:
    env = {"AGENTHUB_API_KEYS": f"anna:{KEY},ben:an-0ther-key-of-ben"}
    with (
        running_hub(tmp_path / "both", "--workers", "coding=1", env=env) as hub,
        Visitor(browser, hub.url, tmp_path) as visitor,
    ):
        visitor.page.goto(link_of(hub, tmp_path))
        expect(visitor.page.locator(".log-chip.live")).to_be_visible()
        page = visitor.open("/fleet")
        page.evaluate("window.before = true")
        page.keyboard.press("c")
        page.wait_for_url("**/new")
        just_before(page, "/goals/check", visitor.context.clear_cookies)
        page.get_by_label("Goal", exact=True).fill("Said by Anna")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_label("Your key").fill("an-0ther-key-of-ben")
        page.keyboard.press("Enter")
        expect(page.get_by_text("ben", exact=True)).to_be_visible()
        assert page.evaluate("window.before") is None, "the page was loaded anew"
