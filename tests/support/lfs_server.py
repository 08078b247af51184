"""A stand-in of a Git LFS server: the documented batch API and its basic transfers."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any


def answer(
    objects: MutableMapping[str, bytes], address: str, path: str, body: bytes, authorization: str
) -> tuple[int, bytes]:
    """The answer to a request of the API at `address`; `objects` are those that are stored, by their sha256."""
    digest = path.rpartition("/")[2]
    if not path.endswith("/objects/batch"):
        if body:
            objects[digest] = body
            return 200, b""
        return (200, objects[digest]) if digest in objects else (404, b"{}")
    asked = json.loads(body)

    def told(one: dict[str, Any]) -> dict[str, Any]:
        known = one["oid"] in objects
        if asked["operation"] == "download" and not known:
            return {**one, "error": {"code": 404, "message": "not here"}}
        if asked["operation"] == "upload" and known:
            return one
        where = {"href": f"{address}/{one['oid']}", "header": {"Authorization": authorization}}
        return {**one, "authenticated": True, "actions": {asked["operation"]: where}}

    return 200, json.dumps({"transfer": "basic", "objects": [told(one) for one in asked["objects"]]}).encode()
