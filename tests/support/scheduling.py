"""Which tests a parallel run keeps in one process: those of one file, and those that share a hub."""

from __future__ import annotations

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# By the beginning of the path; the first that fits.
_SHARED = (
    ("tests/e2e/test_bench", "a hub of each bench"),
    ("tests/e2e/test_cli_operations", "a hub whose coding orders nobody takes"),
    ("tests/e2e/test_model_", "the hub whose model misbehaves"),
    ("tests/e2e/test_slow_model_", "the hub whose model misbehaves"),
    ("tests/e2e/test_demo", "the hub of the demo"),
    ("tests/e2e/test_sample_goal", "the hub of the demo"),
    ("tests/e2e/test_trace", "the hub of the demo"),
    ("tests/e2e/", "the hub with the rehearsal model"),
)
# Many long tests that share nothing: one process would be at them when all others are idle.
_EACH = ("tests/integration/test_gate_forgeries.py", "tests/e2e/test_long_corpus.py")


class BySharedHub(LoadScopeScheduling):  # type: ignore[misc]
    """Gives out whole files, in the order of collection; all that share a hub together, and some tests alone."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path in _EACH:
            return nodeid
        return next((hub for start, hub in _SHARED if path.startswith(start)), path)
