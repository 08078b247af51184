"""A real worker process whose heartbeat dies as soon as it beats: `python -m tests.support.heartless_worker`."""

from __future__ import annotations

import ctypes
import os
import threading

from agenthub_worker.app import main


def end_heartbeat() -> None:
    """Raise an error inside the thread, wherever it stands."""
    while True:
        for thread in threading.enumerate():
            if thread.name == "heartbeat" and thread.ident is not None:
                raised = ctypes.c_ulong(thread.ident), ctypes.py_object(MemoryError)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(*raised)
                return
        threading.Event().wait(0.02)


if __name__ == "__main__":
    threading.Thread(target=end_heartbeat, daemon=True).start()
    main(os.environ)
