"""What every test starts from: an environment without our variables."""

from __future__ import annotations

import os

import pytest

_OURS = ("AGENTHUB_", "ANTHROPIC_", "OTEL_")
_NAMES = ("NATS_URL", "DATABASE_URL", "AGENT_TYPE")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings never reach a test, and no test can spend a developer's money."""
    for name in list(os.environ):
        if name.startswith(_OURS) or name in _NAMES:
            monkeypatch.delenv(name)
