"""The documentation page and what problem codes mean; no script, nothing from elsewhere."""

from html import escape
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from tikiwallet.errors import NotFound
from tikiwallet.web.errors import STATUS
from tikiwallet.web.openapi import title_of

router = APIRouter(include_in_schema=False)

_POLICY: Final = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
details { border-top: 1px solid #8884; padding: .4rem 0 } summary { cursor: pointer }
code, pre { font-family: ui-monospace, monospace; font-size: .9rem }
pre { overflow-x: auto; padding: .6rem; background: #8881; border-radius: .4rem }
td, th { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0 }
.method { display: inline-block; min-width: 4rem; font-weight: 600 }
"""


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The OpenAPI document for people."""
    page = request.app.state.docs_page
    if page is None:
        page = request.app.state.docs_page = render_page(request.app.openapi())
    return HTMLResponse(page, headers=_POLICY)


@router.get("/problems/{code}")
async def problem(code: str) -> Response:
    """What the `type` of a problem document leads to."""
    title = title_of(code)
    if title is None:
        raise NotFound("there is no such problem")
    body = {"type": f"/problems/{code}", "code": code, "title": title, "status": STATUS.get(code)}
    return Response(msgspec.json.encode(body), media_type="application/json")


def render_page(document: dict[str, Any]) -> str:
    """One HTML page with every operation of an OpenAPI document, grouped by tag."""
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(method, path, operation))
    info = document["info"]
    sections = "".join(
        f"<section><h2>{escape(tag)}</h2>{''.join(items)}</section>"
        for tag, items in groups.items()
    )
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{_json(schema)}</details>"
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    title = escape(f"{info['title']} {info['version']}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"<p>{escape(info.get('description', ''))}</p>"
        '<p>For programs: <a href="/openapi.json">openapi.json</a></p>'
        f"{sections}<section><h2>Schemas</h2>{schemas}</section></main></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(response.get('description', ''))}</td>"
        f"<td>{_schema_links(response)}</td></tr>"
        for status, response in operation["responses"].items()
    )
    parameters = "".join(
        f"<li><code>{escape(one['name'])}</code> in {escape(one['in'])}"
        f"{', required' if one.get('required') else ''} {escape(one.get('description', ''))}</li>"
        for one in operation.get("parameters", ())
    )
    body = operation.get("requestBody")
    token = "<p>Needs an access token.</p>" if operation.get("security") else ""
    return (
        f'<details><summary><span class="method">{escape(method.upper())}</span>'
        f" <code>{escape(path)}</code> {escape(operation.get('summary', ''))}</summary>"
        f"<p>{escape(operation.get('description', ''))}</p>{token}"
        f"{f'<ul>{parameters}</ul>' if parameters else ''}"
        f"{f'<p>Body: {_schema_links(body)}</p>' if body else ''}"
        f"<table><tr><th>Status</th><th>Meaning</th><th>Body</th></tr>{rows}</table></details>"
    )


def _schema_links(holder: dict[str, Any]) -> str:
    links = []
    for media_type, content in holder.get("content", {}).items():
        schema = content.get("schema", {})
        reference = schema.get("$ref") or schema.get("allOf", [{}])[0].get("$ref")
        name = escape(reference.rsplit("/", 1)[-1]) if reference else ""
        link = f'<a href="#{name}">{name}</a>' if name else ""
        links.append(f"{link} <small>{escape(media_type)}</small>")
    return ", ".join(links)


def _json(value: object) -> str:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return f"<pre>{escape(text)}</pre>"
