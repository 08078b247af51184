"""The users of the bus in the words of nats-server's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agenthub_runtime.bus_users.accounts import ACCOUNTS, SYSTEM_ACCOUNT, BusAccount, account_of
from agenthub_runtime.bus_users.rights import SYSTEM, Rights, rights_of

_HEAD = """\
# Who may do what on the bus. Made by agenthub from its table of rights: do not edit.
# A key here is the public half; nobody can log in with what stands in this file.
"""


def users_conf(keys: Mapping[str, str]) -> str:
    """The configuration of these users; `keys` are their public keys, or variables that hold them.

    Raises `ValueError` for a user that is not known.
    """
    lines = [_HEAD, "accounts {"]
    for account in ACCOUNTS:
        users = [_user(name, key) for name, key in keys.items() if account_of(name) == account.name]
        if users:
            lines += _account(account, users)
    lines += ["}", *(["", f"system_account: {SYSTEM_ACCOUNT}"] if SYSTEM in keys else []), ""]
    return "\n".join(lines)


def _account(account: BusAccount, users: Sequence[str]) -> list[str]:
    lines = [*(f"  # {line}" for line in account.why), f"  {account.name} {{"]
    lines += ["    jetstream: enabled"] if account.keeps_streams else []
    lines += [*_block("exports", account.exports), *_block("imports", account.imports)]
    return [*lines, "    users: [", *users, "    ]", "  }"]


def _block(word: str, lines: Sequence[str]) -> list[str]:
    return [f"    {word}: [", *(f"      {line}" for line in lines), "    ]"] if lines else []


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
