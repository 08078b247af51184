"""Which repositories and schedules may be woken by a webhook, and by which secret each of them is known."""

from __future__ import annotations

import base64
import re

import msgspec

from agenthub_runtime.remotes.address import Remote

SCHEDULES = "schedules"
SHORTEST_HOOK_SECRET = 16
SIGNING_KEY = "whsec_"
LABEL = "agenthub"
_SCHEDULE = re.compile(rf"{SCHEDULES}/[a-z0-9][a-z0-9-]*")
_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[\w.-]+)+(/\*)?", re.IGNORECASE)
_LOGIN = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?/[\w.\[\]-]+", re.IGNORECASE)


class HookSecret(msgspec.Struct, frozen=True):
    """`place` is `host/owner/name`, `host/owner/*` for all below it, or `schedules/<name>`."""

    place: str
    secret: str

    def __repr__(self) -> str:
        return f"HookSecret({self.place!r})"

    def covers(self, place: str) -> bool:
        """Whether the secret speaks for this repository or schedule."""
        asked, own = place.lower(), self.place.lower()
        return asked == own or (own.endswith("/*") and asked.startswith(own[:-1]))


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """What webhooks may do. `label` makes a goal of an issue; `people` are those who may, as `host/login`."""

    secrets: tuple[HookSecret, ...] = ()
    label: str = LABEL
    people: frozenset[str] = frozenset()

    def of_repositories(self) -> tuple[HookSecret, ...]:
        """The secrets of repositories."""
        return tuple(held for held in self.secrets if not held.place.startswith(f"{SCHEDULES}/"))

    def of_schedule(self, name: str) -> tuple[str, ...]:
        """The secrets of one schedule."""
        return tuple(held.secret for held in self.secrets if held.place == f"{SCHEDULES}/{name}")


NO_HOOKS = Hooks()


def place_of_repository(remote: Remote) -> str:
    """A repository as secrets name it."""
    return f"{remote.host}/{remote.path.strip('/').removesuffix('.git')}"


def hook_secrets(text: str) -> tuple[HookSecret, ...]:
    """Entries `place=secret`, separated by commas. Raises `ValueError` with the remedy."""
    found = []
    for number, entry in enumerate((part.strip() for part in text.split(",")), 1):
        if not entry:
            continue
        place, separator, secret = (part.strip() for part in entry.partition("="))
        if not separator or not (_SCHEDULE.fullmatch(place) or _REPOSITORY.fullmatch(place)):
            raise ValueError(
                f"entry {number} has another form than `host/owner/name=secret` or `{SCHEDULES}/name=whsec_…`"
            )
        if len(secret) < SHORTEST_HOOK_SECRET:
            raise ValueError(
                f"the secret of {place} has {len(secret)} characters: give at least {SHORTEST_HOOK_SECRET}, for"
                " example `openssl rand -hex 24`"
            )
        found.append(HookSecret(place, _checked_key(place, secret)))
    return tuple(found)


def hook_people(text: str) -> frozenset[str]:
    """People as `host/login`, separated by commas. Raises `ValueError`."""
    names = [part.strip().lower() for part in text.split(",") if part.strip()]
    for name in names:
        if not _LOGIN.fullmatch(name):
            raise ValueError(f"`{name[:60]}`: write people as `host/login`, such as `github.com/ada`")
    return frozenset(names)


def _checked_key(place: str, secret: str) -> str:
    """What has the form of a key of Standard Webhooks has to be one; a schedule takes nothing else."""
    if secret.startswith(SIGNING_KEY):
        try:
            base64.b64decode(secret.removeprefix(SIGNING_KEY), validate=True)
        except ValueError:
            raise ValueError(f"the key of {place} is not `{SIGNING_KEY}` and base64") from None
    elif _SCHEDULE.fullmatch(place):
        raise ValueError(f"{place} takes a key of Standard Webhooks: `{SIGNING_KEY}` and random bytes in base64")
    return secret
