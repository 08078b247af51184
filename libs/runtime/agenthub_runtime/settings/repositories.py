"""The settings that say where repositories come from, and what their commands may reach."""

from __future__ import annotations

from agenthub_runtime.settings.setting import Setting, by_host, network_hosts, texts

GIT_TOKENS = Setting(
    "AGENTHUB_GIT_TOKENS",
    "secret list",
    by_host,
    "",
    "Tokens with which the hub's own git reaches repositories by https, as `host=token` or `host=user:token`, "
    "separated by commas. Pull and merge requests are made with them too. No agent and no command of a goal sees "
    "them.",
)
GIT_SSH_KEYS = Setting(
    "AGENTHUB_GIT_SSH_KEYS",
    "list",
    by_host,
    "",
    "Private ssh keys, without a passphrase, with which the hub's own git reaches repositories, as "
    "`host=/path/of/the/key`, separated by commas. A host's own key must be in known_hosts.",
)
GIT_FORGES = Setting(
    "AGENTHUB_GIT_FORGES",
    "list",
    by_host,
    "",
    "Which hosts offer pull or merge requests, as `host=github` or `host=gitlab`, or with the address of their "
    "API as `host=gitlab:https://…/api/v4`, separated by commas. github.com and gitlab.com are known.",
)
SETUP_HOSTS = Setting(
    "AGENTHUB_SETUP_HOSTS",
    "list",
    texts,
    "",
    "Further hosts, as `host` or `host:port`, that the setup of a repository may reach beside those that this "
    "machine's own package clients are set up for; separated by commas.",
)
PRIVATE_HOSTS = Setting(
    "AGENTHUB_PRIVATE_HOSTS",
    "list",
    network_hosts,
    "",
    "Hosts of private networks or of this machine, as `host` or `host:port`, that goals may name in their "
    "`network`; separated by commas. Hosts of the internet need no entry.",
)
