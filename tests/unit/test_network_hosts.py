"""The hosts of a goal's network: each written as one place, and what is of a private network is known as that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.errors import InvalidInput
from agenthub_events.rules.network import is_public, names_private, network_host
from tests.support.properties import untimed


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("api.example.com", "api.example.com:443"),
        (" API.Example.com:8443 ", "api.example.com:8443"),
        ("10.0.0.7:80", "10.0.0.7:80"),
        ("[2001:db8::1]:8080", "[2001:db8::1]:8080"),
        ("[::1]", "[::1]:443"),
        ("db:5432", "db:5432"),
    ],
)
def test_a_host_is_kept_with_its_port(written: str, kept: str) -> None:
    assert network_host(written) == kept
    assert network_host(kept) == kept


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            "https://api.example.com",
            "api.example.com/v1",
            "*.example.com",
            "*",
            "a b",
            "user@host",
            "host:",
        ),
        *(
            "host:0",
            "host:65536",
            "host:http",
            "-a.example.com",
            "a..example.com",
            ".com",
            "::1",
            "[::1",
            "[1.2.3.4]",
        ),
        # Other spellings of 127.0.0.1, which some resolvers take.
        *("127.1", "2130706433", "0177.0.0.1", "0x7f.1:80", "127.0.0.1.", "1.2.3.4.5"),
        *("höst.example", "a" * 64 + ".example", "a." * 130 + "com", "host\n:80", "host:80\nx"),
    ],
)
def test_what_names_no_single_host_is_refused_with_the_field(written: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        network_host(written, "constraints.network[0]")
    assert refused.value.field == "constraints.network[0]"


@pytest.mark.parametrize(
    ("place", "private"),
    [
        *[
            (place, True)
            for place in ("localhost:80", "a.localhost:80", "127.0.0.1:80", "10.1.2.3:443", "[::1]:80")
        ],
        *[(place, True) for place in ("169.254.169.254:80", "[::ffff:10.0.0.1]:80", "[fd00::1]:80", "0.0.0.0:80")],
        *[(place, False) for place in ("8.8.8.8:443", "api.example.com:443", "[2606:4700::1111]:443")],
    ],
)
def test_what_is_private_by_its_own_words_is_known(place: str, private: bool) -> None:
    assert names_private(place) is private


@untimed
@given(st.text(max_size=30))
def test_any_text_is_one_host_or_refused(text: str) -> None:
    try:
        kept = network_host(text)
    except InvalidInput:
        return
    assert network_host(kept) == kept
    assert not set(kept) - set("abcdefghijklmnopqrstuvwxyz0123456789-.:[]")


@untimed
@given(st.ip_addresses())
def test_every_address_is_public_or_not(address: object) -> None:
    assert is_public(str(address)) in (True, False)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((address, True) for address in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")),
        *(
            (address, False)
            for address in ("::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::1")
        ),
        *(
            (address, False)
            for address in ("2002:7f00:1::", "2002:808:808::", "::127.0.0.1", "::8.8.8.8", "fec0::1")
        ),
        *(
            (address, False)
            for address in ("5f00::1", "3fff::1", "100::1", "::ffff:0:7f00:1", "fe80::1%eth0", "ff0e::1")
        ),
        *(
            (address, False)
            for address in ("192.0.0.192", "192.88.99.1", "100.64.0.1", "0.0.0.0", "255.255.255.255")
        ),
    ],
)
def test_an_address_in_another_one_is_what_that_one_is(address: str, public: bool) -> None:
    assert is_public(address) is public
