"""Errors of the gateway; what each becomes over HTTP stands in `problems.py`.

AgenthubError
├── NotFound              there is nothing of this id
├── MalformedBody         the request's body is no JSON
├── InvalidBody           an `InvalidInput`: the request's body; lists every place with its remedy
├── KeyReused             an Idempotency-Key came with another body than the first time
├── KeyRefused            a browser signs in with a key that is none of the hub's
├── SignatureRefused      a webhook carries no signature that fits
├── TooManyRuns           a schedule is woken more often than it may be
├── TooManyFailures       too many wrong keys came from one place
├── SignInLinkSpent       a one-time link opens nothing any more
├── PlanChanged           the plan is another one than the caller saw; holds the one that stands
└── ProjectionBehind      the read models have not reached the position that the caller waits for
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agenthub_events.catalogue.values import PlannedTask
from agenthub_events.errors import AgenthubError, CommandRefused, InvalidInput


class FieldError(msgspec.Struct, frozen=True):
    """One place in a request and what is wrong with it."""

    key: str
    message: str


class NotFound(AgenthubError):
    """There is nothing of this id."""


class InvalidBody(InvalidInput):
    """The request's body does not fit what the call takes; `field` names the first place, `errors` each."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(error.message for error in errors), field=errors[0].key)
        self.errors = tuple(errors)


class MalformedBody(AgenthubError):
    """The request's body is no JSON at all."""


class KeyReused(AgenthubError):
    """The Idempotency-Key belongs to another request."""


class KeyRefused(AgenthubError):
    """The key is none of the hub's."""


class SignatureRefused(AgenthubError):
    """No secret of the hub has signed the webhook."""


class TooManyRuns(AgenthubError):
    """The schedule has run a moment ago; `headers` say when it may again."""

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(wait_s)}


class TooManyFailures(AgenthubError):
    """Too many wrong keys came from one place; `headers` say for how long none is looked at."""

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(wait_s)}


class SignInLinkSpent(AgenthubError):
    """The link was used, is too old, or was never made."""


class PlanChanged(CommandRefused):
    """The plan has another revision than the caller saw."""

    def __init__(self, message: str, revision: int, tasks: Sequence[PlannedTask]) -> None:
        super().__init__("changed-since", message)
        self.revision = revision
        self.tasks = tuple(tasks)


class ProjectionBehind(AgenthubError):
    """The read models have not come as far as the caller has seen; nothing is lost, ask again."""
