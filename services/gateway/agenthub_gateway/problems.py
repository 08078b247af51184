"""Every problem that the gateway answers with, in one table (RFC 9457).

`type` is `/problems/<slug>` and stable; people read `title` and `detail`, programs `type` and `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar.exceptions import HTTPException

from agenthub_events.catalogue.values import PlannedTask
from agenthub_events.errors import (
    ArtifactMissing,
    CommandRefused,
    InvalidInput,
    InvalidPlan,
    StoreUnavailable,
)
from agenthub_gateway.errors import (
    FieldError,
    InvalidBody,
    KeyRefused,
    KeyReused,
    MalformedBody,
    NotFound,
    PlanChanged,
    ProjectionBehind,
    SignatureRefused,
    SignInLinkSpent,
    TooManyFailures,
    TooManyRuns,
)
from agenthub_runtime.errors import DatabaseUnavailable, ReadModelsMissing
from agenthub_runtime.repository.errors import CommitMissing

MEDIA_TYPE = "application/problem+json"
# So many places of a request are listed; nobody reads more, and their list may be longer than the request.
LISTED = 20


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document. `errors` names every place of the request that does not fit.

    When a plan has changed since the caller looked, `revision` and `tasks` are the plan that stands now.
    """

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    revision: int | None = None
    tasks: tuple[PlannedTask, ...] | None = None


class Kind(msgspec.Struct, frozen=True):
    """A row of the table: HTTP status, title, and what to do about it."""

    status: int
    title: str
    remedy: str


PROBLEMS: Mapping[str, Kind] = {
    "malformed-json": Kind(400, "The body is not JSON", "Send a JSON object."),
    "invalid-parameter": Kind(400, "A parameter does not fit", "`errors` names it and says what fits."),
    "invalid-input": Kind(422, "The request does not fit", "`errors` names every place and what fits there."),
    "invalid-plan": Kind(422, "The plan breaks the rules of plans", "`errors` lists every violation at once."),
    "unauthorized": Kind(401, "A key is needed", "Send `Authorization: Bearer <key>` with a configured key."),
    "insufficient-scope": Kind(403, "The key does not reach so far", "Use a key with the named scope."),
    "too-many-failures": Kind(429, "Too many wrong keys", "Wait for the seconds in `Retry-After`."),
    "signature-refused": Kind(
        401, "The signature does not fit", "Use the secret that AGENTHUB_HOOKS names for it."
    ),
    "too-many-runs": Kind(429, "The schedule has just run", "Wait for the seconds in `Retry-After`."),
    "sign-in-link-spent": Kind(410, "The link opens nothing any more", "Ask for another one: `agenthub open`."),
    "unsupported-media-type": Kind(415, "The body is of another kind", "Send `Content-Type: application/json`."),
    "foreign-host": Kind(403, "Unknown host name", "Name further host names in AGENTHUB_ALLOWED_HOSTS."),
    "foreign-origin": Kind(403, "Request from a foreign page", "Use the hub's own address in the browser."),
    "not-found": Kind(404, "There is nothing here", "Check the address and the id."),
    "method-not-allowed": Kind(405, "Method not allowed", "The `Allow` header names what is."),
    "already-answered": Kind(409, "The question is answered", "Nothing is to be done; `detail` says by whom."),
    "question-gone": Kind(409, "The question is gone", "Nobody needs the answer any more."),
    "changed-since": Kind(409, "Changed since you looked", "Read again, then decide."),
    "dead-letter-gone": Kind(409, "The dead letter is dealt with", "Nothing is to be done; `detail` says how."),
    "channel-open": Kind(409, "The recipient is told already", "Nothing is to be done."),
    "goal-closed": Kind(409, "The goal is closed", "Submit a new goal, or ask for a rework of a completed one."),
    "goal-open": Kind(409, "The goal is not finished", "Cancel it, or approve its result, then erase."),
    "goal-erased": Kind(409, "What the goal was made of is erased", "Submit a new goal."),
    "fork-refused": Kind(409, "The goal cannot be forked there", "Name another event: `detail` says which."),
    "goal-frozen": Kind(409, "The goal cannot be read by this version", "Update agenthub; see the dead letters."),
    "idempotency-key-reused": Kind(409, "The Idempotency-Key was used before", "Take a new key for new requests."),
    "not-planned": Kind(409, "There is no plan yet", "Wait for the plan."),
    "not-ready": Kind(409, "Not ready for review", "Wait until the goal is ready for review."),
    "nothing-to-test": Kind(409, "There is nothing to test", "Goals of `noop` tasks alone have no gates."),
    "plan-approved": Kind(409, "The plan is approved", "Ask for changes with a rework."),
    "budget-lowered": Kind(409, "A limit can only be raised", "Give more than the limit that stands."),
    "schedule-exists": Kind(409, "There is a schedule of this name", "Remove it, or take another name."),
    "task-not-running": Kind(409, "The task is not running", "A note reaches a task only while it runs."),
    "not-now": Kind(409, "This cannot be done now", "`detail` says what stands against it."),
    "unreadable": Kind(409, "The message cannot be read", "Update agenthub so that it can be read."),
    "too-large": Kind(413, "The request is too large", "Send less, or put it into a repository."),
    "artifact-missing": Kind(410, "The object is gone", "It was removed by retention."),
    "internal-error": Kind(500, "Something broke inside the gateway", "Look into its log; please report it."),
    "log-unavailable": Kind(
        503,
        "The event log does not answer",
        "Nothing is lost: send the same again. If it stays so, look for room on the disk of the NATS server.",
    ),
    "read-models-unavailable": Kind(503, "The read models do not answer", "Ask again; commands still work."),
    "projection-behind": Kind(503, "The read models are behind", "Ask again in a moment."),
}

_BY_STATUS = {400: "invalid-parameter", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}
_BY_ERROR: tuple[tuple[type[Exception], str], ...] = (
    (NotFound, "not-found"),
    (MalformedBody, "malformed-json"),
    (InvalidBody, "invalid-input"),
    (KeyReused, "idempotency-key-reused"),
    (ProjectionBehind, "projection-behind"),
    (KeyRefused, "unauthorized"),
    (TooManyFailures, "too-many-failures"),
    (SignInLinkSpent, "sign-in-link-spent"),
    (SignatureRefused, "signature-refused"),
    (TooManyRuns, "too-many-runs"),
    (InvalidPlan, "invalid-plan"),
    (InvalidInput, "invalid-input"),
    (ArtifactMissing, "artifact-missing"),
    (CommitMissing, "not-found"),
    (StoreUnavailable, "log-unavailable"),
    (ReadModelsMissing, "read-models-unavailable"),
    (DatabaseUnavailable, "read-models-unavailable"),
)


def problem(slug: str, detail: str = "", errors: Sequence[FieldError] = ()) -> Problem:
    """The document for a row of the table; of very many `errors` it lists the first."""
    kind = PROBLEMS[slug]
    if len(errors) > LISTED:
        errors = errors[:LISTED]
        detail = "; ".join([*(error.message for error in errors), "and more"])
    return Problem(
        type=f"/problems/{slug}", title=kind.title, status=kind.status, detail=detail, errors=tuple(errors)
    )


def problem_of(error: Exception, names: Mapping[str, str] | None = None) -> Problem:
    """What an error means to the caller. What is not in the table says nothing about the inside.

    `names` maps parameters of the handler to what the caller calls them.
    """
    if isinstance(error, CommandRefused):
        slug = "not-found" if error.code == "goal-unknown" else error.code
        told = problem(slug, str(error))
        if isinstance(error, PlanChanged):
            return msgspec.structs.replace(told, revision=error.revision, tasks=error.tasks)
        return told
    if isinstance(error, HTTPException):
        return _of_http(error, names or {})
    for kind, slug in _BY_ERROR:
        if isinstance(error, kind):
            return problem(slug, str(error), _fields_of(error))
    return problem("internal-error", "The gateway has logged what happened")


def _fields_of(error: Exception) -> Sequence[FieldError]:
    if isinstance(error, InvalidBody):
        return error.errors
    if isinstance(error, InvalidPlan):
        return [FieldError(error.field, reason) for reason in error.reasons]
    if isinstance(error, InvalidInput) and error.field:
        return [FieldError(error.field, str(error))]
    return ()


def _of_http(error: HTTPException, names: Mapping[str, str]) -> Problem:
    slug = _BY_STATUS.get(error.status_code, "internal-error")
    extra = error.extra if isinstance(error.extra, list) else []
    errors = [_field(item, names) for item in extra if isinstance(item, dict)]
    detail = "" if slug in ("internal-error", "not-found", "method-not-allowed") else error.detail
    return problem(slug, detail, errors)


def _field(item: Mapping[str, Any], names: Mapping[str, str]) -> FieldError:
    key = str(item.get("key", ""))
    return FieldError(names.get(key, key), str(item.get("message", "")))
