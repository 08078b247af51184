"""Turns what the SDK raises into a `ModelFault`: first by the error's own type, then by the HTTP status.

An error event in the middle of a stream has status 200, and a connection cut there is no error of the SDK at all,
so neither can be classified by status alone.
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agenthub_worker.domain.model import FaultKind, ModelFault

# What a provider may ask us to wait at most; a longer wait is asked again.
MAX_RETRY_AFTER_S = 3_600.0

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
    "invalid_request_error": "invalid",
    "request_too_large": "invalid",
}

_BY_STATUS: Mapping[int, FaultKind] = {
    401: "config",
    402: "config",
    403: "config",
    404: "config",
    408: "transient",
    409: "transient",
    429: "overload",
    503: "overload",
    529: "overload",
}

_ADVICE: Mapping[FaultKind, str] = {
    "transient": "This is the provider's trouble, not this hub's; the call can be made again.",
    "overload": "This is the provider's limit, not this hub's fault; the work waits and goes on by itself.",
    "config": "Correct this hub's settings (key, address, model or the account behind them); a retry cannot help.",
    "invalid": "The provider does not accept the request in this form; the task or the agent's file must change.",
    "refused": "Reword the task or choose another model.",
}


def fault_of(error: Exception, provider: str, model: str) -> ModelFault:
    """Classify `error`, raised by a call to `model` at `provider` (its name for people)."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return _status_fault(error, provider, model)
    if isinstance(error, anthropic.APIResponseValidationError):
        return ModelFault(
            "invalid", f"{provider} answered in a form that is not the Messages API. {_ADVICE['config']}"
        )
    if isinstance(error, anthropic.APITimeoutError):
        never_sent = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        return ModelFault(
            "transient",
            f"{provider} did not answer in time. {_ADVICE['transient']}",
            may_be_billed=not never_sent,
        )
    if isinstance(error, anthropic.APIConnectionError):
        cause = error.__cause__ or error
        return ModelFault(
            "transient",
            f"{provider} cannot be reached ({cause}). Check that it runs and that its address is right; the call"
            " can be made again.",
            may_be_billed=False,
        )
    if isinstance(error, ValueError):
        return ModelFault(
            "invalid",
            f"The model {model} sent tool input that is not JSON; the turn was thrown away. ({error!s:.200})",
        )
    if isinstance(error, anthropic.AnthropicError):
        return ModelFault(
            "config",
            f"The call to {provider} could not be made: {error}. {_ADVICE['config']}",
            may_be_billed=False,
        )
    return ModelFault(
        "transient",
        f"The connection to {provider} broke in the middle of an answer ({type(error).__name__}); the call can be"
        " made again.",
    )


def _status_fault(error: Any, provider: str, model: str) -> ModelFault:
    said = str(error.api_message or error.message)[:300]
    kind = _kind(error.type, error.status_code, said)
    wait = retry_after_seconds(error.response.headers) if kind in {"overload", "transient"} else None
    status = "" if error.status_code == 200 else f" (HTTP {error.status_code})"
    return ModelFault(
        kind,
        f"{provider} turned down a call to {model}{status}: {said}. {_ADVICE[kind]}",
        retry_after_s=wait,
        # An error inside a stream has status 200: by then the model was at work.
        may_be_billed=error.status_code == 200,
    )


def _kind(error_type: str | None, status: int, said: str) -> FaultKind:
    if "credit balance" in said.lower():
        # An empty account is reported as an invalid request.
        return "config"
    if error_type is not None and error_type in _BY_TYPE:
        return _BY_TYPE[error_type]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "transient" if status >= 500 or status == 200 else "invalid"


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait (`retry-after-ms`, `retry-after` in seconds or as a date), capped."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return _bounded(seconds)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return _bounded((when - datetime.now(UTC)).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _bounded(seconds: float) -> float:
    return max(0.0, min(seconds, MAX_RETRY_AFTER_S))
