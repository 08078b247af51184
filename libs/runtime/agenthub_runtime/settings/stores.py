"""The settings of the event log and of the database; the table of all settings holds them too."""

from __future__ import annotations

from agenthub_runtime.settings.setting import Setting, address, nats_addresses, whole_number

NATS_URL = Setting(
    "NATS_URL",
    "address",
    nats_addresses,
    "",
    "The NATS servers, separated by commas, with user and seed (`nats://worker-coding:SU…@host`) "
    "or password in the address; a seed is never sent. The embedded stack brings its own.",
)
DATABASE_URL = Setting(
    "DATABASE_URL",
    "address",
    address("postgresql", "postgres"),
    "",
    "The PostgreSQL database of the read models, with user and password. The embedded stack brings its own.",
)
NATS_SEED = Setting(
    "NATS_SEED",
    "secret",
    str,
    "",
    "The seed of the bus user that NATS_URL names (`nats://orchestrator@host`), where it does not stand in the "
    "address: with NATS_SEED_FILE it can stay in a file.",
)
NATS_CA = Setting(
    "NATS_CA",
    "file",
    str,
    "",
    "The certificates of who has signed those of the NATS servers, for addresses that begin with `tls://`. "
    "Default: those that this machine trusts.",
)
NATS_REPLICAS = Setting(
    "NATS_REPLICAS",
    "number",
    whole_number(1, 5),
    "1",
    "How many servers keep each stream that the orchestrator creates: 3 in a cluster of three. Streams that are "
    "there stay as they are; `agenthub nats apply --replicas` changes them.",
)
DATABASE_PASSWORD = Setting(
    "DATABASE_PASSWORD",
    "secret",
    str,
    "",
    "The password of the user that DATABASE_URL names, where it does not stand in the address.",
)
READER_PASSWORD = Setting(
    "AGENTHUB_READER_PASSWORD",
    "secret",
    str,
    "",
    "The password of the PostgreSQL role `agenthub_reader`, which may read and not write: the projector makes the "
    "role when this is set. The embedded stack makes its own.",
)
