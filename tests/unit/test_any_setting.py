"""Whatever a setting holds, it is read or refused with words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.errors import InvalidInput
from agenthub_events.notifications.quiet_hours import parse_quiet_hours
from agenthub_runtime.settings.setting import Setting
from agenthub_runtime.settings.table import SETTINGS
from tests.support.properties import untimed

PIECES = st.sampled_from(
    (
        *(
            "1",
            "0",
            "-1",
            "9" * 400,
            "24",
            "h",
            "m",
            " days",
            "PT",
            "P1D",
            "T",
            ":",
            "22:00-07:00",
            " Europe/Berlin",
        ),
        *(
            ",",
            "=",
            "@",
            "/",
            "//",
            "://",
            "[",
            "]",
            '"',
            "[[",
            "{",
            "}",
            "%",
            "%zz",
            "\\",
            "~",
            "~nobody-here/",
            "..",
        ),
        *(
            "http://",
            "https://",
            "nats://",
            "postgresql://",
            "smtp://",
            "[::1",
            "a:b@c",
            ":99999",
            "?starttls=never",
        ),
        *(
            "\x00",
            "\ud800",
            "\u202e",
            "٣",
            "²",
            "é",
            "\n",
            "true",
            "no",
            "coding",
            "coding=1",
            "+",
            "sha256=",
            "whsec_",
        ),
    )
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=8).map("".join)


def refusal(read: Callable[[str], object], text: str) -> str | None:
    """Why a text is not read; None when it is."""
    try:
        read(text)
    except (ValueError, InvalidInput) as refused:
        return str(refused).strip()
    return None


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@untimed
@given(text=TEXTS)
def test_any_text_is_read_or_refused_with_words(setting: Setting[Any], text: str) -> None:
    assert refusal(setting.parse, text) != ""


@untimed
@given(TEXTS)
def test_any_text_is_quiet_hours_of_a_zone_or_refused(text: str) -> None:
    for hours in (text, f"22:00-07:00 {text}", f"{text}-07:00"):
        assert refusal(parse_quiet_hours, hours) != ""
