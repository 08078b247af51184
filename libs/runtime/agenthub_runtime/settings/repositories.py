"""The settings that say where repositories come from, what commands may reach, and which webhooks begin goals."""

from __future__ import annotations

from agenthub_runtime.remotes.hooks import LABEL, hook_people, hook_secrets
from agenthub_runtime.settings.setting import Setting, api_address, by_host, network_hosts, texts

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
    "`network`, and as the host of a repository where the hub is not embedded and has no token for it; separated "
    "by commas. Hosts of the internet need no entry.",
)
ADVISORIES = Setting(
    "AGENTHUB_ADVISORIES",
    "address",
    api_address,
    "",
    "Where workers ask for known vulnerabilities of the packages that lock files name, for the security gate: an "
    "API of the OSV format, without its `/v1`; a user and a password may stand in it. It is told names and "
    "versions, those of private packages too. Default: nobody is asked, and verdicts say that nothing is known.",
)
HOOKS = Setting(
    "AGENTHUB_HOOKS",
    "secret list",
    hook_secrets,
    "",
    "Which repositories and schedules may begin goals by a webhook, and the secret of each, as "
    "`github.com/ada/service=secret`, `gitlab.com/ops/*=secret` or `schedules/nightly=whsec_…`, separated by "
    "commas. A second entry for the same one lets its secret be changed. Default: no webhook is taken.",
)
HOOK_LABEL = Setting(
    "AGENTHUB_HOOK_LABEL",
    "text",
    str,
    LABEL,
    "The label that makes a goal of an issue at GitHub or GitLab.",
)
HOOK_PEOPLE = Setting(
    "AGENTHUB_HOOK_PEOPLE",
    "list",
    hook_people,
    "",
    "Who may begin a goal by an issue whatever the host says of them, as `host/login`, separated by commas. "
    "Others have to be people who may write to the repository; without a token for the host only GitHub tells who "
    "belongs to it.",
)
