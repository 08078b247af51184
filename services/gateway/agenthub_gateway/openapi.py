"""The description of the API (OpenAPI 3.1), and a page for people that needs nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

from agenthub_gateway.problems import MEDIA_TYPE, PROBLEMS, Problem

_METHODS = ("get", "post")
_FEED = "/api/v1/stream"
_SIGN_IN = "/api/v1/session"
_REFUSED = "Refused{}"
# Another method is no call of the description, and 500 is a fault.
_NOWHERE = frozenset({405, 500})
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; }
details { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); padding: .6rem 0; }
summary { cursor: pointer; }
code { font: .9em ui-monospace, monospace; }
.method { display: inline-block; min-width: 3.5rem; font-weight: 600; }
table { border-collapse: collapse; } td { padding: .15rem 1rem .15rem 0; vertical-align: top; }
"""


class ExactJson(JsonRenderPlugin):
    """The document itself, exact about unknown fields and about problems."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        return self.render_json(request, exact(openapi_schema))


class PlainPage(OpenAPIRenderPlugin):
    """The calls as one page of HTML, without scripts."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page."""
        groups: dict[str, list[str]] = {}
        for path, item in openapi_schema["paths"].items():
            for method in _METHODS:
                if method in item:
                    operation = item[method]
                    groups.setdefault((operation.get("tags") or ["Other"])[0], []).append(
                        _operation(path, method, operation)
                    )
        sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in groups.items())
        info = openapi_schema["info"]
        page = (
            f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>{escape(info['title'])}</title><style>{_STYLE}</style><h1>{escape(info['title'])}</h1>"
            f"<p>{escape(info['description'])}</p><p>The exact description: <a href='/schema/openapi.json'>"
            f"openapi.json</a>. What problems mean: <a href='/problems'>problems</a>.</p>{sections}</html>"
        )
        return page.encode()


def openapi_config(version: str) -> OpenAPIConfig:
    """The configuration for the application."""
    return OpenAPIConfig(
        title="agenthub",
        version=version,
        description=(
            "Takes goals in plain words; agents plan, build, test, audit and review them; every step is an event."
        ),
        path="/schema",
        render_plugins=[PlainPage(), ExactJson()],
        use_handler_docstrings=True,
    )


def exact(document: dict[str, Any]) -> dict[str, Any]:
    """The document as the gateway really behaves: what unknown fields are refused in is closed, and problems."""
    components = document["components"]["schemas"]
    closed: dict[str, Any] = {name: _with_plain_items(schema) for name, schema in components.items()}
    for name in _reached(document, components):
        closed[name]["additionalProperties"] = False
    _, problems = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")
    paths = {path: _with_problems(path, item) for path, item in document["paths"].items()}
    described = {"schemas": {**closed, **problems}, "responses": _refusals_described()}
    return {**document, "paths": paths, "components": {**document["components"], **described}}


def _with_problems(path: str, item: dict[str, Any]) -> dict[str, Any]:
    """A path whose calls name every status under which they may answer with a problem document."""
    mended = dict(item)
    for method in _METHODS:
        if method in item:
            known = {code: said for code, said in item[method]["responses"].items() if code != "400"}
            refusals = {
                str(status): {"$ref": f"#/components/responses/{_REFUSED.format(status)}"}
                for status in _refusals(path, method)
            }
            mended[method] = {**item[method], "responses": {**refusals, **known}}
    return mended


def _refusals_described() -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        _REFUSED.format(status): {"description": _titles(status), "content": content}
        for status in {kind.status for kind in PROBLEMS.values()} - _NOWHERE
    }


def _refusals(path: str, method: str) -> list[int]:
    """The statuses of problems that a call may answer with."""
    names_something = "{" in path or method == "post" or path == _FEED
    return sorted(
        {kind.status for kind in PROBLEMS.values()}
        - _NOWHERE
        - (set() if names_something else {404})
        - (set() if "{goal_id}" in path or (path == _SIGN_IN and method == "post") else {410})
        - (set() if method == "post" else {409, 413, 415})
    )


def _titles(status: int) -> str:
    return "; ".join(dict.fromkeys(kind.title for kind in PROBLEMS.values() if kind.status == status))


def _with_plain_items(schema: Any) -> Any:
    """litestar takes the dots of `tuple[str, ...]` for a second kind of item, which would allow anything."""
    if isinstance(schema, list):
        return [_with_plain_items(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kinds = schema.get("oneOf")
    if isinstance(kinds, list) and len(kinds) == 2 and kinds[1] == {}:
        return _with_plain_items(kinds[0])
    return {name: _with_plain_items(part) for name, part in schema.items()}


def _reached(document: dict[str, Any], components: dict[str, Any]) -> set[str]:
    waiting = [
        name
        for item in document.get("paths", {}).values()
        for method in _METHODS
        for name in _references(item.get(method, {}).get("requestBody"))
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_references(components[name]))
    return found


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"].rpartition("/")[2]] if isinstance(value.get("$ref"), str) else []
        return own + [name for item in value.values() for name in _references(item)]
    if isinstance(value, list):
        return [name for item in value for name in _references(item)]
    return []


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(_parameter(item) for item in operation.get("parameters") or [])
    answers = ", ".join(sorted(operation.get("responses") or {}))
    return (
        f"<details><summary><span class=method>{method.upper()}</span> <code>{escape(path)}</code> "
        f"{escape(operation.get('summary') or '')}</summary><p>{escape(operation.get('description') or '')}</p>"
        f"<table>{rows}</table><p>Answers: {escape(answers)}</p></details>"
    )


def _parameter(item: dict[str, Any]) -> str:
    described = escape(item.get("description") or "")
    return f"<tr><td><code>{escape(item['name'])}</code><td>{escape(item['in'])}<td>{described}"
