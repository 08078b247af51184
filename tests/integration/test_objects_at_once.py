"""Many objects are read in a few requests, with the same bytes as one by one."""

from __future__ import annotations

import pytest
from nats.aio.client import Client

from agenthub_events.context import digest_of
from agenthub_events.errors import ArtifactMissing
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts


async def test_many_objects_are_read_at_once(bus: Client) -> None:
    artifacts = JetStreamArtifacts(bus)
    contents = [b"", b"x" * 300_000, b"y" * 131_072, *(b"object %d" % number for number in range(230))]
    stored = [await artifacts.put(content) for content in contents]
    erased = await artifacts.put(b"erased")
    await artifacts.delete(erased)
    absent = [erased, *(digest_of(b"never stored %d" % number) for number in range(150))]

    found = await artifacts.get_all([*absent, *stored])

    assert found == dict(zip(stored, contents, strict=True))
    assert await artifacts.get_all(absent) == {}
    assert await artifacts.get_all([]) == {}


async def test_an_object_whose_pieces_are_gone_is_none(bus: Client) -> None:
    artifacts = JetStreamArtifacts(bus)
    damaged, whole = await artifacts.put(b"damaged"), await artifacts.put(b"whole")
    await bus.jetstream().purge_stream("OBJ_ARTIFACTS", subject=f"$O.ARTIFACTS.C.{damaged}.>")
    with pytest.raises(ArtifactMissing, match="damaged"):
        await artifacts.get(damaged)
    assert await artifacts.get_all([damaged, whole]) == {whole: b"whole"}


async def test_an_empty_store_has_none(bus: Client) -> None:
    assert await JetStreamArtifacts(bus).get_all([digest_of(b"anything")]) == {}
