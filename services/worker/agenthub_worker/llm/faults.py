"""Turns what goes wrong in a call into a `ModelFault`: by the server's own words first, then by the HTTP status.

An error event in the middle of a stream has status 200, and a connection cut there is no error of the SDK at all,
so neither can be classified by status alone. Whatever the client raises beside that has a kind too: what a server
sends must never look like a fault of the worker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agenthub_worker.domain.model import FaultKind, ModelFault
from agenthub_worker.llm.clean_json import one_line
from agenthub_worker.llm.retry_after import retry_after_seconds

WRONG_API = "this address does not speak the Messages API"
_SAID_MAX = 300

_BY_TYPE: Mapping[str, FaultKind] = {
    "overloaded_error": "overload",
    "rate_limit_error": "overload",
    "api_error": "transient",
    "timeout_error": "transient",
    "conflict_error": "transient",
    "authentication_error": "config",
    "permission_error": "config",
    "billing_error": "config",
    "not_found_error": "config",
    "invalid_request_error": "rejected",
    "request_too_large": "too_long",
}

_BY_STATUS: Mapping[int, FaultKind] = {
    **dict.fromkeys((401, 402, 403, 404, 405, 407, 410, 426, 451, 501, 505), "config"),
    **dict.fromkeys((408, 409, 424, 425, 499), "transient"),
    **dict.fromkeys((429, 503, 529), "overload"),
    413: "too_long",
}

# What servers say in their own words, under whatever status.
_BY_WORDS: tuple[tuple[re.Pattern[str], FaultKind], ...] = (
    (re.compile(r"credit balance|insufficient_quota|exceeded your current quota|billing", re.I), "config"),
    (
        re.compile(
            r"(prompt|input|conversation|request|message)s? (is|are|was) too (long|large)"
            r"|context.{0,20}(length|window|size|limit)|maximum context|context_length"
            r"|exceeds? the (maximum|max) (number|amount) of (input )?tokens|too many (input )?tokens",
            re.I,
        ),
        "too_long",
    ),
    (
        re.compile(
            r"model\b.{0,100}(not found|does ?n[o']t exist|not exist|unknown|not (supported|available|loaded))"
            r"|(unknown|invalid|no such|unsupported|no) model|model_not_found",
            re.I,
        ),
        "config",
    ),
    (
        re.compile(r"api[-_ ]?key.{0,40}(invalid|incorrect|missing|not valid|required|expired)", re.I),
        "config",
    ),
    (re.compile(r"(invalid|incorrect|missing|no) (x-)?api[-_ ]?key", re.I), "config"),
)
# Said when the model may have been at work: an error inside a stream (200), or by whoever stands before the model
# and gave up waiting for it, or lost it.
_PERHAPS_AT_WORK = frozenset({200, 408, 499, 502, 504, 520, 524, 598, 599})
_NO_SUCH_PATH = frozenset({404, 405, 501})
_LIMITS = frozenset({429, 503, 529})

_ADVICE: Mapping[FaultKind, str] = {
    "transient": "This is the provider's trouble, not this hub's; the call can be made again.",
    "overload": "This is the provider's limit, not this hub's fault; the work waits and goes on by itself.",
    "unreachable": "Check that it runs and that ANTHROPIC_BASE_URL is right; the work waits until then.",
    "hung": "The call was given up and can be made again.",
    "garbled": "Something at this address, or on the way to it, spoils answers.",
    "config": "Correct this hub's settings (key, address, model or the account behind them); a retry cannot help.",
    "too_long": "The conversation no longer fits: split the task, or take a model with more room.",
    "rejected": "The provider does not accept the request in this form; the task or the agent's file must change.",
    "invalid": "The turn was thrown away.",
    "refused": "Reword the task or choose another model.",
}


def fault_of(error: Exception, provider: str, model: str) -> ModelFault:
    """Classify `error`, raised by a call to `model` at `provider` (its name for people)."""
    import anthropic
    import httpx2

    if isinstance(error, ModelFault):
        return error
    if isinstance(error, anthropic.APIStatusError):
        response = error.response
        return answer_fault(response.status_code, response.headers, error.body, provider, model)
    if isinstance(error, anthropic.APIConnectionError):
        return connection_fault(error.__cause__ or error, provider)
    if isinstance(error, httpx2.DecodingError | UnicodeDecodeError):
        return garbled(provider, f"an answer that cannot be decoded ({one_line(str(error))[:120]})")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol):
        return connection_fault(error, provider)
    if isinstance(error, httpx2.HTTPError):
        return ModelFault(
            "transient",
            f"The connection to {provider} broke in the middle of an answer ({type(error).__name__}); the call can"
            " be made again.",
        )
    if isinstance(error, anthropic.APIResponseValidationError):
        return wrong_api(provider, "something else")
    # Raised in the client by what the server sent, or by what it was to send: told as it is.
    said = f"{type(error).__name__}: {one_line(str(error))[:200]}"
    return ModelFault("garbled", f"A call to {provider} broke in the client ({said}). {_ADVICE['garbled']}")


def connection_fault(cause: BaseException, provider: str) -> ModelFault:
    """The fault behind an error of the transport, before any byte of an answer."""
    import httpx2

    if isinstance(cause, httpx2.ReadError | httpx2.RemoteProtocolError | httpx2.WriteError):
        return ModelFault(
            "transient",
            f"{provider} closed the connection without an answer ({type(cause).__name__}). {_ADVICE['transient']}",
        )
    if isinstance(cause, httpx2.ReadTimeout | httpx2.WriteTimeout | httpx2.PoolTimeout):
        return ModelFault("hung", f"{provider} did not answer in time. {_ADVICE['hung']}")
    if isinstance(cause, httpx2.DecodingError):
        return garbled(provider, f"an answer that cannot be decoded ({one_line(str(cause))[:120]})")
    said = one_line(str(cause))[:_SAID_MAX] or type(cause).__name__
    if isinstance(cause, httpx2.ConnectTimeout):
        said = "no connection within the time allowed"
    if isinstance(cause, httpx2.LocalProtocolError):
        # Its words can hold a header, and a header the key.
        said = type(cause).__name__
    return ModelFault(
        "unreachable",
        f"{provider} is unreachable: it cannot be reached ({said}). {_ADVICE['unreachable']}",
        may_be_billed=False,
    )


def answer_fault(status: int, headers: Mapping[str, str], body: object, provider: str, model: str) -> ModelFault:
    """The fault behind an error answer: `status`, and its body as JSON or text."""
    if 300 <= status < 400:
        target = one_line(headers.get("location", ""))[:200] or "another address"
        return ModelFault(
            "config",
            f"{provider} redirects to {target} (HTTP {status}); the key is not sent there. If that is the right"
            " address, set ANTHROPIC_BASE_URL to it.",
            may_be_billed=False,
        )
    error_type, said = _said(body)
    kind = _kind(error_type, status, said)
    if kind == "rejected" and not error_type and not isinstance(body, Mapping):
        kind = "config"
    wait = retry_after_seconds(headers) if kind in {"overload", "transient"} else None
    shown = "" if status == 200 else f" (HTTP {status})"
    if kind == "config" and _is_strange(error_type, status) and _by_words(error_type, status, said) is None:
        said = f"{WRONG_API}, or not this model: {said}"
    return ModelFault(
        kind,
        f"{provider} turned down a call to {model}{shown}: {said or 'without a word'}. {_ADVICE[kind]}",
        retry_after_s=wait,
        may_be_billed=may_be_billed(status, body),
    )


def may_be_billed(status: int, body: object) -> bool:
    """Whether an error answer leaves open that a model was at work: by its HTTP status, or by its body as JSON."""
    return not was_turned_down(status) or _said(body)[0] == "timeout_error"


def was_turned_down(status: int) -> bool:
    """Whether an error with this HTTP status says that no model was at work, so that the call costs nothing."""
    return status not in _PERHAPS_AT_WORK


def _is_strange(error_type: str, status: int) -> bool:
    """Whether a server of the Messages API would not answer so: it knows the path, and names a type of error."""
    if status in _NO_SUCH_PATH:
        return error_type != "not_found_error"
    return status in (400, 410, 426) and not error_type


def wrong_api(provider: str, sent: str) -> ModelFault:
    """Somebody answers, but not a model server of this kind."""
    return ModelFault(
        "config",
        f"{provider} answered with {sent}: {WRONG_API}. {_ADVICE['config']}",
    )


def garbled(provider: str, what: str) -> ModelFault:
    """What came cannot be read."""
    return ModelFault("garbled", f"{provider} sent {what}. {_ADVICE['garbled']}")


def hung(provider: str, seconds: float) -> ModelFault:
    """Nothing came for `seconds`."""
    return ModelFault("hung", f"{provider} sent nothing for {seconds:g} s. {_ADVICE['hung']}")


def dripping(provider: str, seconds: float) -> ModelFault:
    """Bytes came, and no piece of the reply for `seconds`."""
    return ModelFault(
        "hung",
        f"{provider} sent no piece of a reply for {seconds:g} s, though it was sending something."
        f" {_ADVICE['hung']}",
    )


def _said(body: object) -> tuple[str, str]:
    """The error's own type and words, from whatever shape of body servers use."""
    error_type = ""
    found: Any = body
    for name in ("error", "message", "detail"):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
            if name == "error" and isinstance(found, Mapping) and isinstance(found.get("type"), str):
                error_type = found["type"]
    text = found if isinstance(found, str) else "" if found is None else str(found)
    if text.lstrip().startswith("<"):
        text = "a web page"
    return one_line(error_type)[:80], one_line(text)[:_SAID_MAX]


def _kind(error_type: str, status: int, said: str) -> FaultKind:
    if known := _by_words(error_type, status, said):
        return known
    if error_type in _BY_TYPE and status not in _NO_SUCH_PATH:
        return _BY_TYPE[error_type]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "transient" if status >= 500 or status == 200 else "rejected"


def _by_words(error_type: str, status: int, said: str) -> FaultKind | None:
    for pattern, kind in _BY_WORDS:
        # A limit of tokens a minute is named in the same words as one of the model.
        if pattern.search(f"{error_type} {said}") and not (kind == "too_long" and status in _LIMITS):
            return kind
    return None
