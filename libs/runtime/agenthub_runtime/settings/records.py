"""What a service is told by its environment: one frozen record each, read once by its composition root.

All values that do not fit are reported together. The table of settings is in `settings_table`.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agenthub_events.agent_types import AgentType
from agenthub_events.notifications.quiet_hours import QuietHours
from agenthub_events.notifications.recipients import Recipient
from agenthub_events.redaction import NO_SECRETS, KnownSecrets
from agenthub_runtime.remotes.credentials import PASSED, GitAccess
from agenthub_runtime.remotes.hooks import NO_HOOKS, Hooks
from agenthub_runtime.settings.credentials import credentials_in
from agenthub_runtime.settings.mail_server import MailServer
from agenthub_runtime.settings.reader import Environment, SettingsReader
from agenthub_runtime.settings.repositories import (
    ADVISORIES,
    GIT_FORGES,
    GIT_SSH_KEYS,
    GIT_TOKENS,
    HOOK_LABEL,
    HOOK_PEOPLE,
    HOOKS,
    PRIVATE_HOSTS,
    SETUP_HOSTS,
)
from agenthub_runtime.settings.stores import DATABASE_URL, NATS_REPLICAS, NATS_URL, READER_PASSWORD
from agenthub_runtime.settings.table import (
    AGENT_TYPE,
    ALLOW_UNSANDBOXED,
    ALLOWED_HOSTS,
    ANTHROPIC_API_KEY,
    ANTHROPIC_BASE_URL,
    API_KEYS,
    DATA_DIR,
    EMBEDDED,
    ESCALATE_AFTER,
    HOST,
    LINK_KEY,
    LOG_FORMAT,
    LOG_LEVEL,
    MAIL_FROM,
    METRICS,
    METRICS_EXPORTER,
    MODEL,
    MODEL_IDLE_S,
    MODELS,
    NOTIFY,
    NOTIFY_DIGEST,
    NOTIFY_ESCALATION,
    OTLP_ENDPOINT,
    PG_BIN,
    PORT,
    PROVIDER,
    PUBLIC_URL,
    QUIET_HOURS,
    SEAL_KEY,
    SECRETS,
    SLOTS,
    SMTP_URL,
    TRACE_DAYS,
    TRACE_RATIO,
    UNANSWERED,
    WEBHOOK_PRIVATE,
    WEBHOOK_SECRETS,
    WORKER_NAME,
    WORKERS,
)


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a process tells what it does, and the `secrets` that it must tell nobody.

    `trace_ratio` is the share of traces that are made, `trace_days` for how many days those of goals are kept (0:
    none is), `metrics` the address at which figures are scraped;
    a process that listens there says so below the folder `metrics_targets`.
    """

    format: str
    level: str
    otlp_endpoint: str
    trace_ratio: float = 1.0
    trace_days: int = 0
    metrics: str = ""
    metrics_targets: Path | None = None
    pushes_metrics: bool = True
    secrets: KnownSecrets = NO_SECRETS


class OrchestratorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the orchestrator. An empty `database_url` makes it read the log from its beginning.

    `replicas` servers keep each stream that it creates.
    """

    nats_url: str
    database_url: str
    data_dir: Path | None = None
    log: LogSettings
    escalate_after_s: int = 3_600
    unanswered: str = "wait"
    seal_key: str = ""
    replicas: int = 1

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class ProjectorSettings(OrchestratorSettings, frozen=True, kw_only=True):
    """Settings of the projector: those of the orchestrator, with a database and the role that reads it."""

    reader_password: str = ""


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a worker. An empty `name` means host name and process id."""

    nats_url: str
    name: str
    slots: int
    agent_types: tuple[AgentType, ...]
    data_dir: Path | None
    provider: str
    api_key: str
    base_url: str
    model: str
    models: Mapping[str, str]
    model_idle_s: int | None = None
    allow_unsandboxed: bool
    git: GitAccess = GitAccess()
    setup_hosts: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    advisories: str = ""
    log: LogSettings

    def __repr__(self) -> str:
        return f"WorkerSettings(name={self.name!r}, agent_types={self.agent_types!r})"


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the gateway. Without `api_keys` it serves this machine alone and asks for no credential.

    `embedded`: it runs on the machine of the people who use it, so a goal may name a folder of that machine.
    """

    nats_url: str
    database_url: str
    host: str
    port: int
    api_keys: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    embedded: bool
    data_dir: Path | None
    git: GitAccess = GitAccess()
    private_hosts: tuple[str, ...] = ()
    log: LogSettings
    public_url: str = ""
    link_key: str = ""
    hooks: Hooks = NO_HOOKS

    def __repr__(self) -> str:
        return f"GatewaySettings(host={self.host!r}, port={self.port!r})"


class NotifierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the notifier. `digest_s` 0: nothing is held back. Without `link_key` links answer nothing."""

    nats_url: str
    recipients: tuple[Recipient, ...]
    escalation: tuple[Recipient, ...]
    digest_s: int
    quiet: QuietHours | None
    mail_server: MailServer | None
    mail_from: str
    webhook_secrets: tuple[str, ...]
    webhook_private: bool
    public_url: str
    link_key: str
    git: GitAccess = GitAccess()
    log: LogSettings

    def __repr__(self) -> str:
        return f"NotifierSettings(recipients={self.recipients!r})"


class HubSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the embedded stack, which always brings its own NATS and PostgreSQL."""

    host: str
    port: int
    data_dir: Path | None
    pg_bin: Path | None
    workers: Mapping[str, int]
    asks_for_keys: bool
    provider: str
    api_key: str
    base_url: str
    model: str
    models: Mapping[str, str]
    log: LogSettings

    def __repr__(self) -> str:
        return f"HubSettings(host={self.host!r}, port={self.port!r}, workers={self.workers!r})"


def read_orchestrator_settings(env: Environment) -> OrchestratorSettings:
    """Settings of the orchestrator. Raises `SettingsInvalid`."""
    read = SettingsReader(env)
    return read.checked(
        OrchestratorSettings(
            nats_url=read.needed(NATS_URL),
            database_url=read.text(DATABASE_URL),
            data_dir=read.optional(DATA_DIR),
            log=_log(read),
            escalate_after_s=read(ESCALATE_AFTER),
            unanswered=read(UNANSWERED),
            seal_key=read(SEAL_KEY),
            replicas=read(NATS_REPLICAS),
        )
    )


def read_projector_settings(env: Environment) -> ProjectorSettings:
    """Settings of the projector. Raises `SettingsInvalid`."""
    read = SettingsReader(env)
    return read.checked(
        ProjectorSettings(
            nats_url=read.needed(NATS_URL),
            database_url=read.needed(DATABASE_URL),
            reader_password=read(READER_PASSWORD),
            log=_log(read),
        )
    )


def read_worker_settings(env: Environment) -> WorkerSettings:
    """Settings of a worker; which provider they amount to is the worker's to say. Raises `SettingsInvalid`."""
    read = SettingsReader(env)
    settings = WorkerSettings(
        nats_url=read.needed(NATS_URL),
        name=read(WORKER_NAME),
        slots=read(SLOTS),
        agent_types=read.needed(AGENT_TYPE),
        data_dir=read.optional(DATA_DIR),
        provider=read.text(PROVIDER),
        api_key=read(ANTHROPIC_API_KEY),
        base_url=read.text(ANTHROPIC_BASE_URL),
        model=read(MODEL),
        models=_models(read),
        model_idle_s=read.optional(MODEL_IDLE_S),
        allow_unsandboxed=read(ALLOW_UNSANDBOXED),
        git=_git(read),
        setup_hosts=read(SETUP_HOSTS),
        private_hosts=read(PRIVATE_HOSTS),
        advisories=read.text(ADVISORIES),
        log=_log(read),
    )
    return read.checked(settings)


def read_gateway_settings(env: Environment) -> GatewaySettings:
    """Settings of the gateway. Raises `SettingsInvalid`, also for a bind beyond this machine without keys."""
    read = SettingsReader(env)
    settings = GatewaySettings(
        nats_url=read.needed(NATS_URL),
        database_url=read.needed(DATABASE_URL),
        host=read(HOST),
        port=read(PORT),
        api_keys=read(API_KEYS),
        allowed_hosts=read(ALLOWED_HOSTS),
        embedded=read(EMBEDDED),
        data_dir=read.optional(DATA_DIR),
        git=_git(read),
        private_hosts=read(PRIVATE_HOSTS),
        log=_log(read),
        public_url=read.text(PUBLIC_URL),
        link_key=read.text(LINK_KEY),
        hooks=Hooks(secrets=read(HOOKS), label=read(HOOK_LABEL), people=read(HOOK_PEOPLE)),
    )
    _check_bind(read, settings.host)
    return read.checked(settings)


def read_notifier_settings(env: Environment) -> NotifierSettings:
    """Settings of the notifier. Raises `SettingsInvalid`, also for mail that nobody is named to carry."""
    read = SettingsReader(env)
    settings = NotifierSettings(
        nats_url=read.needed(NATS_URL),
        recipients=read(NOTIFY),
        escalation=read(NOTIFY_ESCALATION),
        digest_s=read.optional(NOTIFY_DIGEST) or 0,
        quiet=read.optional(QUIET_HOURS),
        mail_server=read.optional(SMTP_URL),
        mail_from=read.text(MAIL_FROM) or f"agenthub@{socket.getfqdn()}",
        webhook_secrets=read(WEBHOOK_SECRETS),
        webhook_private=read(WEBHOOK_PRIVATE),
        public_url=read.text(PUBLIC_URL),
        link_key=read.text(LINK_KEY),
        git=_git(read),
        log=_log(read),
    )
    _check_mail(read, settings)
    return read.checked(settings)


def read_hub_settings(env: Environment) -> HubSettings:
    """Settings of the embedded stack. Raises `SettingsInvalid`."""
    read = SettingsReader(env)
    settings = HubSettings(
        host=read(HOST),
        port=read(PORT),
        data_dir=read.optional(DATA_DIR),
        pg_bin=read.optional(PG_BIN),
        workers=read(WORKERS),
        asks_for_keys=bool(read(API_KEYS)),
        provider=read.text(PROVIDER),
        api_key=read(ANTHROPIC_API_KEY),
        base_url=read.text(ANTHROPIC_BASE_URL),
        model=read(MODEL),
        models=_models(read),
        log=_log(read),
    )
    _check_bind(read, settings.host)
    return read.checked(settings)


def read_log_settings(env: Environment) -> LogSettings:
    """How to log, for commands that need nothing else. Raises `SettingsInvalid`."""
    read = SettingsReader(env)
    return read.checked(_log(read))


def is_loopback(host: str) -> bool:
    """Whether nobody outside this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _log(read: SettingsReader) -> LogSettings:
    return LogSettings(
        format=read(LOG_FORMAT),
        level=read(LOG_LEVEL),
        otlp_endpoint=read.text(OTLP_ENDPOINT),
        trace_ratio=read(TRACE_RATIO),
        trace_days=read(TRACE_DAYS),
        metrics=read.text(METRICS),
        metrics_targets=read.optional(DATA_DIR),
        pushes_metrics=read(METRICS_EXPORTER) != "none",
        secrets=KnownSecrets((*credentials_in(read.env), *read(SECRETS))),
    )


def _git(read: SettingsReader) -> GitAccess:
    return GitAccess(
        tokens=read(GIT_TOKENS),
        ssh_keys=read(GIT_SSH_KEYS),
        forges=read(GIT_FORGES),
        passed={name: read.env[name] for name in PASSED if name in read.env},
    )


def _models(read: SettingsReader) -> dict[str, str]:
    return {agent_type: model for agent_type, setting in MODELS.items() if (model := read(setting))}


def _check_mail(read: SettingsReader, settings: NotifierSettings) -> None:
    mailed = [r.name for r in (*settings.recipients, *settings.escalation) if r.channel == "email"]
    if mailed and settings.mail_server is None and not read.problems:
        read.problems.append(f"{mailed[0]} is to be told by e-mail: set AGENTHUB_SMTP_URL to a mail server")


def _check_bind(read: SettingsReader, host: str) -> None:
    if not is_loopback(host) and not read(API_KEYS):
        read.problems.append(
            f"AGENTHUB_HOST is `{host}`, which others can reach: set AGENTHUB_API_KEYS, or listen on 127.0.0.1"
        )
