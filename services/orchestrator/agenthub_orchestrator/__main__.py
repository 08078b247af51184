"""`python -m agenthub_orchestrator`."""

from __future__ import annotations

from agenthub_runtime.processes.loading import loading

with loading():
    from agenthub_orchestrator.app import run_orchestrator
    from agenthub_orchestrator.process import main
    from agenthub_runtime.settings.records import read_orchestrator_settings

if __name__ == "__main__":
    main(run_orchestrator, "orchestrator", read_orchestrator_settings)
