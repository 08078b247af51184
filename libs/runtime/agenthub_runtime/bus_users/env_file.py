"""Keys of bus users and of seals in a file of variables for compose and systemd: `NAME=value`, one a line."""

from __future__ import annotations

import re

from agenthub_runtime.bus_users.keys import new_seed, public_key
from agenthub_runtime.bus_users.rights import users_of
from agenthub_runtime.bus_users.users_file import seed_variable_of, variable_of
from agenthub_runtime.seal_keys import new_seal_key, with_seal_key

_LINE = re.compile(r"(?P<name>NATS_(?:SEED|KEY)_[A-Z_]+|AGENTHUB_SEAL_KEYS?)=(?P<value>\S*)")
_SEAL_KEY, _SEAL_KEYS = "AGENTHUB_SEAL_KEY", "AGENTHUB_SEAL_KEYS"

# Those that compose.yaml starts beside the ones of a single agent type.
DEPLOYED = (("architect", "planner"),)


def completed(text: str, *, rotate: bool = False) -> tuple[str, tuple[str, ...]]:
    """The file with a seed and its public key for every user, and who got a new one; other lines stay.

    With the keys of seals, of which a new one leaves the public halves of those before it in the list.
    Raises `ValueError` for a seed that is none.
    """
    given = {found["name"]: found["value"] for found in map(_LINE.fullmatch, text.splitlines()) if found}
    lines: dict[str, str] = {}
    fresh = []
    for user in users_of(DEPLOYED):
        seed = "" if rotate else given.get(seed_variable_of(user), "")
        if not seed:
            seed = new_seed()
            fresh.append(user)
        lines[seed_variable_of(user)] = seed
        lines[variable_of(user)] = public_key(seed)
    sealing = ("" if rotate else given.get(_SEAL_KEY, "")) or new_seal_key()
    lines[_SEAL_KEY] = sealing
    lines[_SEAL_KEYS] = ",".join(with_seal_key(filter(None, given.get(_SEAL_KEYS, "").split(",")), sealing))
    kept = [
        line for line in text.splitlines() if not (found := _LINE.fullmatch(line)) or found["name"] not in lines
    ]
    return "\n".join((*kept, *(f"{name}={value}" for name, value in lines.items()), "")), tuple(fresh)
