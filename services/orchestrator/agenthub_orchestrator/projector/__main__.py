"""`python -m agenthub_orchestrator.projector`."""

from __future__ import annotations

from agenthub_orchestrator.app import main
from agenthub_orchestrator.projector.app import run_projector

if __name__ == "__main__":
    main(run_projector, "projector")
