"""`python -m agenthub_orchestrator.projector`."""

from __future__ import annotations

from agenthub_runtime.processes.loading import loading

with loading():
    from agenthub_orchestrator.process import main
    from agenthub_orchestrator.projector.app import run_projector
    from agenthub_runtime.settings.records import read_projector_settings

if __name__ == "__main__":
    main(run_projector, "projector", read_projector_settings)
