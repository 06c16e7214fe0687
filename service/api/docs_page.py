"""The page `/docs`: the OpenAPI description as plain HTML, without scripts and without a CDN."""

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse

Json = Mapping[str, Any]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1a1a1a}
h2{margin-top:2.5rem;border-top:1px solid #ccc;padding-top:1rem}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #e3e3e3;padding:.3rem .6rem;text-align:left;vertical-align:top}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#f4f4f4;padding:.1rem .3rem}
pre{padding:.8rem;overflow:auto}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}
code,pre{background:#262626}td,th{border-color:#333}a{color:#8ab4f8}}
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
_EXAMPLE = """curl -s http://localhost:8000/v1/summarize \\
  -H 'Content-Type: application/json' \\
  -d '{"text": "…", "sentenceCount": 2, "explain": {"method": "attention"}}'"""


def docs_router(describe: Callable[[], dict[str, Any]]) -> APIRouter:
    """Make the route `/docs`.

    Args:
        describe: gives the OpenAPI description.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(render_docs(describe()), headers=_HEADERS)

    return router


def render_docs(openapi: Json) -> str:
    """Write an OpenAPI 3.1 description as one HTML page."""
    title = escape(f"{openapi['info']['title']} {openapi['info']['version']}")
    operations = "".join(
        _render_operation(path, method, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(
        _render_schema(name, schema)
        for name, schema in sorted(openapi["components"]["schemas"].items())
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        f"<p>{escape(openapi['info'].get('description', ''))}</p>"
        f"<pre>{escape(_EXAMPLE)}</pre>"
        '<p>The same for programs: <a href="openapi.json">openapi.json</a></p>'
        f"{operations}<h1>Schemas</h1>{schemas}</html>"
    )


def _render_operation(path: str, method: str, operation: Json) -> str:
    body = _content_type(operation.get("requestBody", {}))
    rows = "".join(
        f"<tr><td>{escape(status)}<td>{escape(response['description'])}<td>{_content_type(response)}"
        for status, response in operation["responses"].items()
    )
    takes = f"<p>Takes {body}</p>" if body else ""
    return (
        f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description', ''))}</p>{takes}"
        f"<table><tr><th>Status<th>When<th>Answer{rows}</table>"
    )


def _render_schema(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{' (required)' if field in required else ''}"
        f"<td>{_type(value)}<td>{escape(value.get('description', ''))}{_default(value)}"
        for field, value in schema.get("properties", {}).items()
    )
    table = f"<table><tr><th>Field<th>Type<th>Meaning{rows}</table>" if rows else ""
    values = f"<p>One of {_type(schema)}</p>" if "enum" in schema else ""
    return (
        f'<h2 id="{escape(name)}">{escape(name)}</h2>'
        f"<p>{escape(schema.get('description', ''))}</p>{values}{table}"
    )


def _content_type(holder: Json) -> str:
    return ", ".join(
        f"<code>{escape(media_type)}</code> {_type(content.get('schema', {}))}"
        for media_type, content in holder.get("content", {}).items()
    )


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " · ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("type", "any")))


def _default(schema: Json) -> str:
    if schema.get("default") is None:
        return ""
    return f" Default: <code>{escape(json.dumps(schema['default']))}</code>"
