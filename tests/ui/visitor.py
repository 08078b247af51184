"""A person with a browser: opens pages, looks, is told by axe what others could not use, and keeps pictures."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from playwright.sync_api import APIResponse, Browser, ConsoleMessage, Page, Route, expect
from playwright.sync_api import Error as Gone
from playwright.sync_api import TimeoutError as Late

from tests.support.running_hub import RunningHub
from tests.support.until import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
_ROOT = Path(__file__).resolve().parents[2]
_AXE = _ROOT / "services" / "gateway" / "web" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(os.environ.get("AGENTHUB_PICTURES", _ROOT / "var" / "pictures"))
_HEIGHTS = {1440: 900, 390: 844, 320: 640}
_WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What a browser prints for an answer that the test itself, or its machine, has provoked.
_PROVOKED = (
    "net::ERR_INCOMPLETE_CHUNKED_ENCODING",
    "net::ERR_CONNECTION",
    "net::ERR_INTERNET_DISCONNECTED",
    "net::ERR_EMPTY_RESPONSE",
    # A server behind the gateway stood still for seconds, with the machine; the page asks again.
    "the server responded with a status of 503",
)

Scheme = Literal["light", "dark"]
WITHIN_MS = 240_000
RESTED_S = 900.0
T = TypeVar("T")


def once(condition: Callable[[], T], what: str) -> T:
    """What `condition` answers as soon as that is true: for what the read models know a moment after the page."""
    return in_thread(until(condition, WITHIN_MS / 1_000, what))


def in_thread(answer: Coroutine[None, None, T]) -> T:
    """The result of `answer`; in a thread, because playwright has the loop of this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, answer).result()


def rested(hub: RunningHub, goal_id: str, *statuses: str) -> None:
    """Wait until a goal is in one of these states."""
    in_thread(hub.wait_for(goal_id, *statuses, deadline_s=RESTED_S))


@contextmanager
def answers_late(page: Page, path: str) -> Iterator[None]:
    """Within, what the hub answers to what `page` asks at `path` is kept back until its end."""
    late: list[tuple[Route, APIResponse]] = []
    page.route(f"**{path}", lambda route: late.append((route, route.fetch())))
    yield
    for route, answer in late:
        # Some pages ask anew before they are answered.
        with suppress(Gone):
            route.fulfill(response=answer)
    page.unroute(f"**{path}")


def just_before(page: Page, path: str, happens: Callable[[], object]) -> None:
    """`happens` just before the hub gets the first thing that this page asks at `path`."""

    def quicker(route: Route) -> None:
        happens()
        route.continue_()

    page.route(f"**{path}", quicker, times=1)


class Visitor:
    """One browser context. `complaints`: what the console or a broken script has said."""

    def __init__(
        self, browser: Browser, url: str, folder: Path, *, scheme: Scheme = "light", width: int = 1440
    ) -> None:
        self.url = url
        self.folder = folder
        self.scheme = scheme
        self.width = width
        self.complaints: list[str] = []
        size: Any = {"width": width, "height": _HEIGHTS[width]}
        self.context = browser.new_context(
            viewport=size, color_scheme=scheme, reduced_motion="reduce", accept_downloads=True
        )
        self.context.set_default_timeout(WITHIN_MS)
        self.context.set_default_navigation_timeout(WITHIN_MS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._told)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.context.close()

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(part in message.text for part in _PROVOKED):
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def open(self, path: str) -> Page:
        """Go to a page of the hub and wait until it is live."""
        self.page.goto(self.url + path)
        expect(self.page.locator("main")).to_be_visible()
        return self.page

    def jump(self, keys: str, url: str) -> None:
        """Press two keys that belong together; once more where they came too far apart."""
        for _ in range(20):
            for key in keys:
                self.page.keyboard.press(key)
            try:
                return self.page.wait_for_url(url, timeout=5_000)
            except Late:
                continue
        raise AssertionError(f"{keys} does not lead to {url} but to {self.page.url}")

    def settle(self) -> None:
        """Wait until every read of the page was answered."""
        expect(self.page.locator(".shell")).to_have_attribute("data-reading", "false")
        expect(self.page.locator("[data-loading]")).to_have_count(0)
        expect(self.page.locator("[data-layout='waits']")).to_have_count(0)
        self.page.wait_for_function("document.fonts.status === 'loaded'")

    def findings(self) -> list[str]:
        """What axe finds on the page as it stands."""
        self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        options = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": _WCAG}}
        found: dict[str, Any] = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{rule['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def picture(self, name: str) -> Path:
        """Keep a picture of the window."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}-{self.width}-{self.scheme}.png"
        self.page.screenshot(path=path)
        return path
