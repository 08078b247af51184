"""`python -m tests.replay.goals`: write down where today's code differs from the code that wrote the files."""

from __future__ import annotations

import msgspec

from tests.replay.goals import DIFFERENCES, FILES, differing, name_of

if __name__ == "__main__":
    found = {name_of(file): differing(file) for file in FILES}
    DIFFERENCES.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
