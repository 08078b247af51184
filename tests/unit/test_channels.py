"""A channel is one entry of the language and one sender."""

from __future__ import annotations

from typing import get_args

import pytest

from agenthub_events.channels import CHANNELS, ChannelName
from agenthub_events.errors import InvalidInput
from agenthub_events.notifications.recipients import parse_recipient
from agenthub_notifier.channels.senders import senders_of
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.settings.records import read_notifier_settings


def test_every_channel_has_its_name_its_addresses_and_its_sender() -> None:
    assert CHANNELS.keys() == set(get_args(ChannelName))
    settings = read_notifier_settings({"NATS_URL": "nats://127.0.0.1:4222"})
    assert senders_of(settings, SystemClock()).keys() == CHANNELS.keys()


@pytest.mark.parametrize(
    ("text", "channel", "name", "address"),
    [
        ("Ann@Example.org", "email", "Ann@example.org", "Ann@example.org"),
        ("mailto:ann@example.org", "email", "ann@example.org", "ann@example.org"),
        ("HTTPS://hooks.example.org/x", "webhook", "hooks.example.org/ef8bf605", "HTTPS://hooks.example.org/x"),
        ("mailto://u:p@example.org", "apprise", "mailto/0c08444b", "mailto://u:p@example.org"),
        ("slack://a/b", "apprise", "slack/f71496e0", "slack://a/b"),
    ],
)
def test_the_scheme_of_an_address_says_its_channel(text: str, channel: str, name: str, address: str) -> None:
    found = parse_recipient(text)
    assert (found.channel, found.name, found.address) == (channel, name, address)


@pytest.mark.parametrize("text", ["ann", "ann..b@example.org", "://x", "1x://y", "https://", "https://[x/", "a b"])
def test_what_is_no_address_of_any_channel_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_recipient(text)
