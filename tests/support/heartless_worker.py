"""A real worker process whose heartbeat dies as soon as it beats: `python -m tests.support.heartless_worker`."""

from __future__ import annotations

import ctypes
import os
import threading

from agenthub_worker.app import main


def end_heartbeat() -> None:
    """Raise errors inside the thread until it is dead: one may be caught wherever it stands."""
    seen = False
    while True:
        beating = [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
        if seen and not beating:
            return
        for thread in beating:
            if thread.ident is not None:
                seen = True
                raised = ctypes.c_ulong(thread.ident), ctypes.py_object(MemoryError)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(*raised)
        threading.Event().wait(0.02)


if __name__ == "__main__":
    threading.Thread(target=end_heartbeat, daemon=True).start()
    main(os.environ)
