"""How the process of a service loads its code."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

# structlog loads it for coloured tracebacks, which no service prints, and can do without.
_UNUSED = "rich"


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Import a service inside of this, in its `__main__`: less CPU time until it is ready, and less memory.

    Loading makes next to no rubbish, so nobody looks for it meanwhile; what is loaded stays for as long as the
    process, so nobody looks there afterwards either.
    """
    loaded = _UNUSED in sys.modules
    if not loaded:
        sys.modules[_UNUSED] = None  # type: ignore[assignment]  # an import of it fails, as if it were missing
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        if not loaded:
            del sys.modules[_UNUSED]
