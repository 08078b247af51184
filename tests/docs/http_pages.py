"""The reference of the HTTP API, made of the gateway's own OpenAPI document and its table of problems."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import httpx2

from agenthub_events.notifications.interventions import INTERVENTION
from agenthub_gateway.app import create_app
from agenthub_gateway.live.frames import ALIASES
from agenthub_gateway.ports import GatewayPorts
from agenthub_gateway.problems import PROBLEMS
from agenthub_runtime.telemetry.tracing import Telemetry

_METHODS = ("get", "post")


def openapi_document() -> dict[str, Any]:
    """What a gateway answers at /schema/openapi.json. Describing itself needs none of the servers behind it."""
    return asyncio.run(_ask())


async def _ask() -> dict[str, Any]:
    app = create_app(cast(GatewayPorts, SimpleNamespace(telemetry=Telemetry("docs"), sessions=None)))
    transport = httpx2.ASGITransport(app=cast(Any, app))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/schema/openapi.json")
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def openapi_file() -> str:
    """The OpenAPI document as a file."""
    return json.dumps(openapi_document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def api_page(made: str) -> str:
    """Every call, and every body and answer."""
    document = openapi_document()
    parts = [
        "# HTTP API",
        made,
        "The same as a running gateway shows at `/schema` and, exactly and for programs, at"
        " `/schema/openapi.json` (OpenAPI 3.1). Bodies are JSON. A field that a body does not have is refused with"
        " its name. Every call may answer with a problem document ([errors](errors.md)) under the statuses that it"
        " names. Where keys are configured, send `Authorization: Bearer <key>` (browsers send the cookie of a"
        " session); without keys the gateway serves its own machine alone.",
        "Three things are not in that document: `GET /` is the web UI for browsers, `GET /metrics` has figures"
        " for Prometheus, and `/api/v1/ws` is a WebSocket with the frames of `/api/v1/stream`, one JSON object"
        " each, and the same parameters `goal`, `type`, `from` and `runs`.",
        f"Frames have the type of their event. `{INTERVENTION}` stands before an `agent.blocked`. "
        + "Also understood as `type`: "
        + ", ".join(f"`{alias}` for `{name}`" for name, alias in sorted(ALIASES.items()))
        + ".",
    ]
    groups: dict[str, list[str]] = {}
    for path, item in sorted(document["paths"].items()):
        for method in _METHODS:
            if method in item:
                groups.setdefault(item[method]["tags"][0], []).append(_call(path, method, item[method]))
    for tag, calls in sorted(groups.items()):
        parts += [f"## {tag}", *calls]
    parts.append("## Bodies and answers")
    schemas = document["components"]["schemas"]
    parts += [_schema(name, schemas[name]) for name in sorted(schemas)]
    return "\n\n".join(parts) + "\n"


def errors_page(made: str) -> str:
    """Every kind of problem."""
    rows = ["| status | type | title | what to do |", "|---|---|---|---|"]
    rows += [
        f"| {kind.status} | `/problems/{slug}` | {kind.title} | {kind.remedy} |"
        for slug, kind in sorted(PROBLEMS.items(), key=lambda item: (item[1].status, item[0]))
    ]
    return (
        "\n\n".join(
            (
                "# Problems",
                made,
                "Every error of the gateway is a problem document (RFC 9457, `application/problem+json`) with"
                " `type`, `title`, `status`, `detail` and, where places of the request do not fit, `errors`"
                " (`key`, `message`). `type` is stable; programs read it, people read `detail`. A running gateway"
                " lists the same at `/problems`. Answers with status 503 carry `Retry-After`.",
                "\n".join(rows),
            )
        )
        + "\n"
    )


def _call(path: str, method: str, operation: Mapping[str, Any]) -> str:
    lines = [
        f"### `{method.upper()} {path}`",
        f"{operation['summary']}. {operation.get('description', '')}".strip(),
    ]
    parameters = operation.get("parameters") or []
    if parameters:
        rows = ["| parameter | in | type | meaning |", "|---|---|---|---|"]
        rows += [
            f"| `{item['name']}`{' (needed)' if item.get('required') else ''} | {item['in']} "
            f"| {_type(item['schema'])} | {item.get('description', '')} |"
            for item in parameters
        ]
        lines.append("\n".join(rows))
    body = operation.get("requestBody")
    if body:
        lines.append(f"Body: {_content(body['content'])}{'' if body.get('required') else ' (may be left out)'}")
    responses = sorted(operation["responses"].items())
    answers = [
        f"{code}: {_content(answer['content'])}" if answer.get("content") else f"{code}"
        for code, answer in responses
        if not _is_problem(answer)
    ]
    problems = [code for code, answer in responses if _is_problem(answer)]
    lines.append(f"Answer: {'; '.join(answers)}. Problems: {', '.join(problems)}")
    return "\n\n".join(lines)


def _is_problem(answer: Mapping[str, Any]) -> bool:
    return "$ref" in answer


def _content(content: Mapping[str, Any]) -> str:
    return ", ".join(
        _type(described["schema"]) if kind == "application/json" else f"`{kind}`"
        for kind, described in content.items()
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    lines = [f"### {name}"]
    if schema.get("description"):
        lines.append(str(schema["description"]))
    if schema.get("properties"):
        needed = set(schema.get("required", ()))
        rows = ["| field | type | meaning |", "|---|---|---|"]
        for field, described in schema["properties"].items():
            mark = " (needed)" if field in needed else ""
            rows.append(f"| `{field}`{mark} | {_type(described)} | {described.get('description', '')} |")
        lines.append("\n".join(rows))
    return "\n\n".join(lines)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " \\| ".join("null" if value is None else f"`{value}`" for value in schema["enum"])
    kinds = schema.get("oneOf") or schema.get("anyOf")
    if kinds:
        return " \\| ".join(_type(kind) for kind in kinds)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    kind = " \\| ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{kind} ({schema['format']})" if "format" in schema else kind
