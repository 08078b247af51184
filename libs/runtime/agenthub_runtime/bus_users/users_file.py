"""The users of the bus in the words of nats-server's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agenthub_runtime.bus_users.rights import SYSTEM, Rights, rights_of

_HEAD = """\
# Who may do what on the bus. Made by agenthub from its table of rights: do not edit.
# A key here is the public half; nobody can log in with what stands in this file.
"""


def users_conf(keys: Mapping[str, str]) -> str:
    """The configuration of these users; `keys` are their public keys, or variables that hold them.

    Raises `ValueError` for a user that is not known.
    """
    users = [_user(name, key) for name, key in keys.items() if name != SYSTEM]
    lines = [_HEAD, "authorization {", "  users: [", *users, "  ]", "}", ""]
    if SYSTEM in keys:
        system = f"users: [ {{ nkey: {keys[SYSTEM]} }} ]"
        lines += ["# Asks the server how it is; sees no event.", f"accounts {{ SYS {{ {system} }} }}"]
        lines += ["system_account: SYS", ""]
    return "\n".join(lines)


def variable_of(user: str) -> str:
    """The environment variable that tells a server the public key of `user`."""
    return f"NATS_KEY_{user.replace('-', '_').upper()}"


def seed_variable_of(user: str) -> str:
    """The environment variable that holds the seed of `user`, where services get it from the environment."""
    return f"NATS_SEED_{user.replace('-', '_').upper()}"


def _user(name: str, key: str) -> str:
    rights = rights_of(name)
    if rights is None:
        return f"    # {name}: everything\n    {{ nkey: {key} }},"
    return "\n".join((f"    # {name}", f"    {{ nkey: {key}, permissions: {{", *_permissions(rights), "    } },"))


def _permissions(rights: Rights) -> list[str]:
    lines = ["      publish: {", *_listed("allow", rights.publish)]
    lines += [*_listed("deny", rights.never), "      }"] if rights.never else ["      }"]
    lines += [f"      subscribe: [{', '.join(map(_quoted, rights.subscribe))}]"]
    if rights.replies:
        lines.append('      allow_responses: { max: 1, expires: "1m" }')
    return lines


def _listed(word: str, subjects: Sequence[str]) -> list[str]:
    return [f"        {word}: [", *(f"          {_quoted(subject)}," for subject in subjects), "        ]"]


def _quoted(subject: str) -> str:
    return f'"{subject}"'
