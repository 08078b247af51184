"""The table of every setting of agenthub: name, kind, default, purpose. The settings reference is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agenthub_events.agent_types import AGENT_TYPES, AgentType
from agenthub_events.notifications.quiet_hours import parse_quiet_hours
from agenthub_runtime.settings.mail_server import parse_mail_server
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
from agenthub_runtime.settings.setting import (
    Setting,
    address,
    agent_types,
    api_keys,
    count_of_workers,
    declared_secrets,
    duration,
    folder,
    header_values,
    host_and_port,
    host_names,
    mailbox,
    one_of,
    recipients,
    seal_key,
    seal_keys,
    share,
    webhook_secrets,
    whole_number,
    yes_or_no,
)
from agenthub_runtime.settings.stores import (
    DATABASE_PASSWORD,
    DATABASE_URL,
    NATS_CA,
    NATS_REPLICAS,
    NATS_SEED,
    NATS_URL,
    READER_PASSWORD,
)
from agenthub_runtime.settings.worker_counts import DEFAULT_WORKERS

HOST = Setting("AGENTHUB_HOST", "address", str, "127.0.0.1", "The address on which the gateway listens.")
PORT = Setting(
    "AGENTHUB_PORT",
    "number",
    whole_number(0, 65535),
    "8000",
    "The gateway's port. `agenthub up` takes any free one for 0.",
)
DATA_DIR = Setting(
    "AGENTHUB_DATA_DIR",
    "folder",
    folder,
    "",
    "Where the embedded stack keeps its data, and a worker its workspaces. Default: the user's data folder; "
    "/var/lib/agenthub for root.",
)
PG_BIN = Setting(
    "AGENTHUB_PG_BIN",
    "folder",
    folder,
    "",
    "The PostgreSQL programs that the embedded stack uses.",
)
WORKERS = Setting(
    "AGENTHUB_WORKERS",
    "counts",
    count_of_workers,
    DEFAULT_WORKERS,
    "How many worker processes the embedded stack starts for which agent types; `a+b=1` is one worker for two "
    "types. A type that is not named gets no worker.",
)
WORKER_NAME = Setting(
    "AGENTHUB_WORKER_NAME", "text", str, "", "The worker's name in events. Default: host name and process id."
)
SLOTS = Setting("AGENTHUB_SLOTS", "number", whole_number(1, 256), "1", "How many tasks one worker runs at a time.")
AGENT_TYPE = Setting(
    "AGENT_TYPE",
    "list",
    agent_types,
    "",
    "The agent types that a worker serves, separated by commas, in any usual spelling.",
)
PROVIDER = Setting(
    "AGENTHUB_PROVIDER",
    "choice",
    one_of("anthropic", "local", "rehearsal"),
    "",
    "Where model calls go: anthropic, local, rehearsal. Default: anthropic when there is a key, local when there "
    "is only an address; the embedded stack falls back to the rehearsal model.",
)
MODEL = Setting(
    "AGENTHUB_MODEL", "text", str, "", "The model for every agent type that has no setting of its own."
)
MODELS: Mapping[AgentType, Setting[str]] = {
    agent_type: Setting(
        f"AGENTHUB_MODEL_{agent_type.upper()}", "text", str, "", f"The model for agents of the type {agent_type}."
    )
    for agent_type in AGENT_TYPES
    if agent_type != "noop"
}
MODEL_IDLE_S = Setting(
    "AGENTHUB_MODEL_IDLE_S",
    "number",
    whole_number(1, 3600),
    "",
    "How many seconds a model server may send nothing before a call counts as hung. Default: 120, and 300 for a "
    "local server.",
)
API_KEYS = Setting(
    "AGENTHUB_API_KEYS",
    "secret list",
    api_keys,
    "",
    "Keys that the gateway accepts, separated by commas, each as `name:scope:secret`, `name:secret` or the secret "
    "alone. The name stands in events as who did it: printable, without `|`, and not `agenthub`. Scopes, each "
    "with those before it: `read`, `submit` (goals), `operate` (answers, approvals, budgets), `admin` (erasing; "
    "the default). A secret has 16 or more characters, or is `sha256=` with its SHA-256 in hexadecimal. Needed "
    "for any host other than this machine itself.",
)
HUB_URL = Setting(
    "AGENTHUB_URL",
    "address",
    address("http", "https"),
    "",
    "The hub that commands talk to. Default: the one that runs on this machine's data folder, else port 8000.",
)
HUB_KEY = Setting(
    "AGENTHUB_API_KEY", "secret", str, "", "The key that commands show to a gateway that asks for one."
)
ALLOWED_HOSTS = Setting(
    "AGENTHUB_ALLOWED_HOSTS",
    "list",
    host_names,
    "",
    "Further host names under which browsers and clients may address the gateway, separated by commas.",
)
EMBEDDED = Setting(
    "AGENTHUB_EMBEDDED",
    "yes or no",
    yes_or_no,
    "no",
    "Set by the embedded stack for its gateway: a goal may then name a repository folder of this machine.",
)
ALLOW_UNSANDBOXED = Setting(
    "AGENTHUB_ALLOW_UNSANDBOXED",
    "yes or no",
    yes_or_no,
    "no",
    "Let agents' tools run without a sandbox where none works. "
    "They can then read and change all that the worker can.",
)
LOG_FORMAT = Setting(
    "AGENTHUB_LOG_FORMAT",
    "choice",
    one_of("auto", "console", "json"),
    "auto",
    "auto: console on a terminal, else json.",
)
LOG_LEVEL = Setting(
    "AGENTHUB_LOG_LEVEL",
    "choice",
    one_of("debug", "info", "warning", "error"),
    "info",
    "The least important log lines that are written.",
)
ANTHROPIC_API_KEY = Setting(
    "ANTHROPIC_API_KEY", "secret", str, "", "The key for the model provider. Only workers receive it."
)
ANTHROPIC_BASE_URL = Setting(
    "ANTHROPIC_BASE_URL",
    "address",
    address("http", "https"),
    "",
    "The address of a Messages API other than Anthropic's, such as a local model server.",
)
OTLP_ENDPOINT = Setting(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "address",
    address("http", "https"),
    "",
    "Where traces and figures go (OTLP over HTTP). Without it no trace leaves the hub.",
)
OTLP_HEADERS = Setting(
    "OTEL_EXPORTER_OTLP_HEADERS",
    "secret list",
    header_values,
    "",
    "What the recipient of traces and figures wants to see, as `name=value`, separated by commas.",
)
TRACE_RATIO = Setting(
    "OTEL_TRACES_SAMPLER_ARG",
    "share",
    share,
    "1",
    "Which share of the goals is traced, from 0 to 1: all of a goal or nothing of it. Who sends a `traceparent` "
    "with a request decides for it.",
)
TRACE_DAYS = Setting(
    "AGENTHUB_TRACE_DAYS",
    "number",
    whole_number(0, 90),
    "7",
    "For how many days the hub keeps the traces of goals and its metrics in Postgres; 0 keeps none.",
)
METRICS_EXPORTER = Setting(
    "OTEL_METRICS_EXPORTER",
    "choice",
    one_of("otlp", "none"),
    "otlp",
    "none: figures do not go where traces go; they can be scraped all the same.",
)
METRICS = Setting(
    "AGENTHUB_METRICS",
    "address",
    host_and_port,
    "",
    "Where each service lets Prometheus scrape its figures, as `host:port`. Port 0 takes a free one, and "
    "`agenthub up` always does; each service writes which into the folder `metrics` of the data folder, for "
    "`file_sd`. No credential is asked for there: give an address that only Prometheus reaches.",
)
SECRETS = Setting(
    "AGENTHUB_SECRETS",
    "secret list",
    declared_secrets,
    "",
    "Further values that no record, log line, tool result or export may show, separated by commas, or as a JSON "
    "list when one holds a comma. Each has at least 8 characters.",
    takes_json=True,
)
NOTIFY = Setting(
    "AGENTHUB_NOTIFY",
    "secret list",
    recipients,
    "",
    "Who is told about questions, results and failures of all goals: e-mail addresses, https:// addresses of "
    "webhooks, and whatever apprise knows (`slack://…`, with the extra `notify`), separated by commas.",
    takes_json=True,
)
NOTIFY_ESCALATION = Setting(
    "AGENTHUB_NOTIFY_ESCALATION",
    "secret list",
    recipients,
    "",
    "Who is told as well when a question stays unanswered: the first one at the first reminder, the first two at "
    "the second, and so on.",
    takes_json=True,
)
ESCALATE_AFTER = Setting(
    "AGENTHUB_ESCALATE_AFTER",
    "duration",
    duration,
    "1h",
    "When a question that nobody answers is raised again; the second and third reminder take twice as long each.",
)
UNANSWERED = Setting(
    "AGENTHUB_UNANSWERED",
    "choice",
    one_of("wait", "retry", "skip", "cancel"),
    "wait",
    "What becomes of a task whose question nobody answers, eight times AGENTHUB_ESCALATE_AFTER after the third "
    "reminder: it waits on, or is tried again, skipped or cancelled. Questions about a whole goal always wait.",
)
NOTIFY_DIGEST = Setting(
    "AGENTHUB_NOTIFY_DIGEST",
    "duration",
    duration,
    "",
    "How long results, reviews and failures are held back so that people get one message for all, e.g. `2h`. "
    "Default: not at all. Questions and webhooks never wait.",
)
QUIET_HOURS = Setting(
    "AGENTHUB_QUIET_HOURS",
    "hours",
    parse_quiet_hours,
    "",
    "When people are told nothing unless the goal is urgent, e.g. `22:00-07:00 Europe/Berlin`. What happens "
    "meanwhile comes in one message at the end. Webhooks do not sleep.",
)
SMTP_URL = Setting(
    "AGENTHUB_SMTP_URL",
    "address",
    parse_mail_server,
    "",
    "The mail server: `smtps://user:password@host` (TLS) or `smtp://user:password@host:587` (STARTTLS, without "
    "which nothing is sent; `?starttls=never` for a server without any).",
)
MAIL_FROM = Setting(
    "AGENTHUB_MAIL_FROM",
    "e-mail address",
    mailbox,
    "",
    "The sender of mail. Default: agenthub@ this host.",
)
WEBHOOK_SECRETS = Setting(
    "AGENTHUB_WEBHOOK_SECRETS",
    "secret list",
    webhook_secrets,
    "",
    "Keys that sign webhooks (`whsec_…`, Standard Webhooks), separated by commas. Every one signs, so that a new "
    "one can be added before the old one is taken away.",
)
WEBHOOK_PRIVATE = Setting(
    "AGENTHUB_WEBHOOK_PRIVATE",
    "yes or no",
    yes_or_no,
    "no",
    "Let webhooks go to private networks and to this machine.",
)
PUBLIC_URL = Setting(
    "AGENTHUB_PUBLIC_URL",
    "address",
    address("http", "https"),
    "",
    "Where people reach the gateway; links in messages begin with it. Default: where the embedded stack listens.",
)
LINK_KEY = Setting(
    "AGENTHUB_LINK_KEY",
    "secret",
    str,
    "",
    "The key that signs links in messages, the same for notifier and gateway; without it no link in them answers "
    "anything. The embedded stack makes its own.",
)
SEAL_KEY = Setting(
    "AGENTHUB_SEAL_KEY",
    "secret",
    seal_key,
    "",
    "The key with which the orchestrator signs seals, 64 hexadecimal digits; without it seals are not signed. "
    "`agenthub nats keys env` makes one; the embedded stack makes its own.",
)
SEAL_KEYS = Setting(
    "AGENTHUB_SEAL_KEYS",
    "list",
    seal_keys,
    "",
    "The public halves of the keys that have signed this hub's seals, the newest first, separated by commas, for "
    "`agenthub verify` and exports. `agenthub nats keys env` keeps the list; the embedded stack keeps its own.",
)

SETTINGS: tuple[Setting[Any], ...] = (
    *(HUB_URL, HUB_KEY),
    *(NATS_URL, NATS_SEED, NATS_CA, NATS_REPLICAS, DATABASE_URL, DATABASE_PASSWORD),
    *(READER_PASSWORD, HOST, PORT, API_KEYS, ALLOWED_HOSTS),
    *(EMBEDDED, DATA_DIR, PG_BIN, WORKERS),
    *(AGENT_TYPE, WORKER_NAME, SLOTS, ALLOW_UNSANDBOXED, SETUP_HOSTS, PRIVATE_HOSTS, ADVISORIES),
    *(GIT_TOKENS, GIT_SSH_KEYS, GIT_FORGES, HOOKS, HOOK_LABEL, HOOK_PEOPLE),
    *(PROVIDER, ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, MODEL, *MODELS.values()),
    MODEL_IDLE_S,
    *(NOTIFY, NOTIFY_ESCALATION, NOTIFY_DIGEST, QUIET_HOURS, ESCALATE_AFTER, UNANSWERED, SMTP_URL, MAIL_FROM),
    *(WEBHOOK_SECRETS, WEBHOOK_PRIVATE, PUBLIC_URL, LINK_KEY),
    *(SEAL_KEY, SEAL_KEYS),
    *(LOG_FORMAT, LOG_LEVEL, OTLP_ENDPOINT, OTLP_HEADERS, TRACE_RATIO, TRACE_DAYS),
    *(METRICS, METRICS_EXPORTER, SECRETS),
)
