"""Takes secrets, and what no store can hold, out of texts before they can enter the log.

The log is permanent, so this sits in the constructor of every event. It knows the common shapes of credentials;
it is the last net, not the only one: nothing that handles a credential passes it on to an event.
"""

from __future__ import annotations

import re
from typing import Any

MASK = "[redacted]"
REPLACEMENT = "\ufffd"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_SHAPES = re.compile(
    r"sk-ant-[A-Za-z0-9_-]{8,}"
    r"|sk-[A-Za-z0-9]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|AKIA[0-9A-Z]{16}"
    r"|whsec_[A-Za-z0-9+/=]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s:@]{1,64}:[^/\s@]{1,256}(?=@)"
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/=-]{16,}"
)

# Every shape above holds one of these; a text without any is clean, and most texts are.
_HINTS = (
    *("sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AKIA", "whsec_"),
    *("PRIVATE KEY", "://", "earer "),
)


def redact_text(text: str) -> str:
    """`text` with everything that looks like a credential replaced by a mask.

    Characters that JSON or Postgres cannot hold (NUL, halves of surrogate pairs) are replaced as well.
    """
    if "\x00" in text or not text.isascii():
        text = _UNSTORABLE.sub(REPLACEMENT, text)
    for hint in _HINTS:
        if hint in text:
            return _SHAPES.sub(MASK, text)
    return text


def redact_bytes(data: bytes) -> bytes:
    """The same for output of programs: UTF-8, what is none of it replaced."""
    return redact_text(data.decode("utf-8", "replace")).encode()


def redact(value: Any) -> Any:
    """`value` with the texts in it redacted; the very same object when there was nothing to hide."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, (tuple, list)):
        cleaned = [redact(item) for item in value]
        if all(new is old for new, old in zip(cleaned, value, strict=True)):
            return value
        return type(value)(cleaned)
    if isinstance(value, dict):
        fresh = {redact(key): redact(item) for key, item in value.items()}
        if all(key in fresh and fresh[key] is item for key, item in value.items()):
            return value
        return fresh
    return value
