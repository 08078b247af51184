"""The accounts of the bus: where the streams are, nobody who asks has an address.

The server answers wherever the asker wants it, and rights on publishing do not bind it. So whoever asks sits in an
account without streams. His questions and what he writes cross by an import, where the server puts an address of
its own in the place of the asker's; the answer comes back into the asker's account, and no stream listens there.
"""

from __future__ import annotations

import msgspec

from agenthub_runtime.bus_users.people import PEOPLE
from agenthub_runtime.bus_users.rights import ADMIN, SERVICES, SYSTEM, inbox_of

STREAMS_ACCOUNT = "HUB"
SERVICES_ACCOUNT = "SERVICES"
PEOPLE_ACCOUNT = "PEOPLE"
SYSTEM_ACCOUNT = "SYS"

# An address that the server made is forgotten when nothing came to it for so long: longer than any pull waits for
# a sign of life (the command line of NATS: 15 s), and short because one is kept for every question.
_FORGOTTEN_AFTER = "45s"
_ASKED = ("ask.>", "$SRV.>")
_ASKED_OF_SUPERVISOR = (
    "ask.supervisor.>",
    *(f"$SRV.{verb}{rest}" for verb in ("PING", "INFO", "STATS") for rest in ("", ".>")),
)
_API = ("$JS.API.>", "$JS.FC.>")
_WRITTEN = ("evt.>", "run.>", "timer.set.>", "$O.ARTIFACTS.>", "fleet.*", "session.*", "span.>")
_HEARD_BY_PEOPLE = ("evt.>", "run.>", "timer.>", "fleet.*", "$JS.EVENT.>")


class BusAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account in the words of nats-server's configuration; `why` stands above it."""

    name: str
    why: tuple[str, ...]
    keeps_streams: bool = False
    exports: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


def account_of(user: str) -> str:
    """The account in which this user is."""
    if user in PEOPLE:
        return PEOPLE_ACCOUNT
    return {ADMIN: STREAMS_ACCOUNT, SYSTEM: SYSTEM_ACCOUNT}.get(user, SERVICES_ACCOUNT)


def _inboxes(users: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{inbox_of(user)}.>" for user in users)


def _services(account: str, *subjects: str) -> tuple[str, ...]:
    return tuple(f'{{ service: {{ account: {account}, subject: "{subject}" }} }},' for subject in subjects)


def _streams(*subjects: str) -> tuple[str, ...]:
    return tuple(f'{{ stream: {{ account: {STREAMS_ACCOUNT}, subject: "{subject}" }} }},' for subject in subjects)


def _exported(*subjects: str) -> tuple[str, ...]:
    return tuple(
        f'{{ service: "{subject}", response_type: stream, threshold: "{_FORGOTTEN_AFTER}" }},'
        for subject in subjects
    )


ACCOUNTS = (
    BusAccount(
        name=STREAMS_ACCOUNT,
        why=(
            "The streams, and who may do everything. One export for all that is asked or written:",
            "an answer never goes on by the export that it came from, so none becomes a message of a stream.",
        ),
        keeps_streams=True,
        exports=(
            *_exported(">"),
            *(f'{{ stream: "{subject}" }},' for subject in (*_inboxes((*SERVICES, *PEOPLE)), *_HEARD_BY_PEOPLE)),
        ),
    ),
    BusAccount(
        name=SERVICES_ACCOUNT,
        why=("The services and workers: what they write and ask crosses over, answers come back here.",),
        exports=_exported(*_ASKED),
        imports=(
            *_services(STREAMS_ACCOUNT, *_API, "$JS.ACK.>", *_WRITTEN, *_ASKED_OF_SUPERVISOR),
            *_streams(*_inboxes(SERVICES)),
        ),
    ),
    BusAccount(
        name=PEOPLE_ACCOUNT,
        why=("People who look: they write to no stream, so there is no way for that from here.",),
        imports=(
            *_services(STREAMS_ACCOUNT, *_API, "$JS.SNAPSHOT.>"),
            *_services(SERVICES_ACCOUNT, *_ASKED),
            *_streams(*_inboxes(PEOPLE), *_HEARD_BY_PEOPLE),
        ),
    ),
    BusAccount(name=SYSTEM_ACCOUNT, why=("Asks the server how it is; sees no event.",)),
)
"""In this order they stand in the file."""
