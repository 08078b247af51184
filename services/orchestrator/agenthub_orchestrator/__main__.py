"""`python -m agenthub_orchestrator`."""

from __future__ import annotations

from agenthub_orchestrator.app import main, run_orchestrator

if __name__ == "__main__":
    main(run_orchestrator, "orchestrator")
