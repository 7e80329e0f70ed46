"""/openapi.json and /docs: the API described for programs and for people, with nothing fetched from elsewhere."""

import json
import re
from functools import cache
from html import escape
from typing import Any

import msgspec
from litestar import Response, get
from litestar.enums import MediaType
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.api.catalogue import CODES, PROBLEMS
from ohmstead.api.problems import all_types

_CODE = re.compile(r"`([^`]+)`")
_METHODS = ("get", "post", "put", "patch", "delete")


@cache
def api_document() -> dict[str, Any]:
    """The OpenAPI document, made once."""
    from ohmstead.api.openapi import document
    from ohmstead.api.routes import PREFIX, RESOURCES

    return document(RESOURCES, PREFIX)


@get("/openapi.json", sync_to_thread=False)
def openapi_json() -> Response[bytes]:
    """The OpenAPI 3.1 document."""
    headers = {"Cache-Control": "no-cache"}
    return Response(msgspec.json.encode(api_document()), media_type="application/json", headers=headers)


@get("/docs", sync_to_thread=False)
def docs() -> Response[str]:
    """The API to be read."""
    return Response(_page(), media_type=MediaType.HTML, headers={"Cache-Control": "no-cache"})


@get("/docs.css", sync_to_thread=False)
def docs_css() -> Response[str]:
    """How the reference looks."""
    return Response(_CSS, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


@get("/problems/{name:str}", sync_to_thread=False)
def problem_type(name: FromPath[str]) -> Redirect:
    """Where a problem's `type` leads."""
    known = any(name == listed for _, listed, _ in all_types())
    return Redirect(f"/api/v1/docs#problem-{name}" if known else "/api/v1/docs#problems", status_code=303)


HANDLERS = [openapi_json, docs, docs_css, problem_type]


@cache
def _page() -> str:
    document = api_document()
    sections = "".join(_section(document, tag["name"]) for tag in document["tags"])
    contents = "".join(
        f'<li><a href="#{escape(tag["name"])}">{escape(tag["name"])}</a></li>' for tag in document["tags"]
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'><title>Ohmstead API</title>"
        "<link rel='icon' href='/static/favicon.svg'><link rel='stylesheet' href='/api/v1/docs.css'></head><body>"
        f"<nav aria-label='Contents'><strong>Ohmstead API</strong><ul>{contents}"
        "<li><a href='#problems'>Problems</a></li><li><a href='#types'>Types</a></li>"
        "<li><a href='/api/v1/openapi.json'>openapi.json</a></li></ul></nav>"
        f"<main><h1>Ohmstead API</h1><p>{_text(document['info']['description'])}</p>"
        f"{_scopes(document)}{sections}{_problems()}{_types(document)}</main></body></html>"
    )


def _scopes(document: dict[str, Any]) -> str:
    return (
        f"<h2 id='scopes'>Keys and scopes</h2>{_text(document['components']['securitySchemes']['key']['description'])}"
    )


def _section(document: dict[str, Any], tag: str) -> str:
    operations = [
        _operation(path, method, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item and tag in item[method]["tags"]
    ]
    return f"<h2 id='{escape(tag)}'>{escape(tag)}</h2>{''.join(operations)}"


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [
        (
            f"<article id='{operation['operationId']}'><h3><code class='{method}'>{method.upper()}</code>"
            f" <code>{escape(path)}</code></h3><p><strong>{escape(operation['summary'])}.</strong></p>"
            f"{_text(operation['description'])}"
        )
    ]
    if operation["parameters"]:
        parts.append(_parameters(operation["parameters"]))
    if body := operation.get("requestBody"):
        parts.append(f"<h4>Body</h4>{_text(body.get('description', ''))}{_content(body['content'])}")
    parts.append("<h4>Answers</h4>")
    errors = []
    for status, response in operation["responses"].items():
        if "$ref" in response:
            errors.append(status)
        else:
            parts.append(
                f"<p><b>{status}</b> {escape(response['description'])}</p>{_content(response.get('content', {}))}"
            )
    parts.append(f"<p class='errors'>Problems: {', '.join(errors)}</p></article>")
    return "".join(parts)


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{p['in']}</td><td>{_kind(p['schema'])}</td>"
        f"<td>{_inline(p['description'])}</td></tr>"
        for p in parameters
    )
    head = "<tr><th>Parameter</th><th>In</th><th>Type</th><th>Meaning</th></tr>"
    return f"<div class='wide'><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"


def _content(content: dict[str, Any]) -> str:
    parts = []
    for media, value in content.items():
        kind = f"<p><code>{escape(media)}</code> {_kind(value['schema'])}</p>"
        example = value.get("example")
        if example is not None:
            text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
            kind += f"<details><summary>Example</summary><pre>{escape(text)}</pre></details>"
        parts.append(kind)
    return "".join(parts)


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"<a href='#type-{escape(name)}'>{escape(name)}</a>"
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = str(schema.get("format") or schema.get("type") or "anything")
    limits = [f"{word} {schema[name]}" for name, word in _LIMITS.items() if name in schema]
    if schema.get("default") is not None:
        limits.append(f"default {json.dumps(schema['default'])}")
    return escape(", ".join([kind, *limits]))


_LIMITS = {
    "minimum": "from",
    "maximum": "to",
    "minLength": "at least",
    "maxLength": "at most",
    "minItems": "at least",
    "maxItems": "at most",
    "pattern": "like",
}


def _problems() -> str:
    body = ""
    seen: set[str] = set()
    for status, name, title in all_types():
        anchor = "" if name in seen else f" id='problem-{name}'"
        seen.add(name)
        entry = PROBLEMS[name]
        body += (
            f"<tr{anchor}><td>{status}</td><td><code>{name}</code></td><td>{escape(title)}</td>"
            f"<td>{_inline(entry.meaning)}</td><td>{_inline(entry.remedy)}</td></tr>"
        )
    head = "<tr><th>Status</th><th>Type</th><th>Title</th><th>What it means</th><th>What to do</th></tr>"
    codes = "".join(f"<tr><td><code>{code}</code></td><td>{_inline(text)}</td></tr>" for code, text in CODES.items())
    return (
        f"<h2 id='problems'>Problems</h2><div class='wide'><table><thead>{head}</thead><tbody>{body}</tbody></table></div>"
        f"<p>Some carry a code that says more.</p><table><thead><tr><th>Code</th><th>What it means</th></tr></thead>"
        f"<tbody>{codes}</tbody></table>"
    )


def _types(document: dict[str, Any]) -> str:
    parts = ["<h2 id='types'>Types</h2>"]
    for name, schema in document["components"]["schemas"].items():
        parts.append(f"<article id='type-{escape(name)}'><h3>{escape(name)}</h3>{_text(schema.get('description', ''))}")
        required = schema.get("required", ())
        rows = "".join(
            f"<tr><td><code>{escape(field)}</code>{'' if field in required else ' (optional)'}</td>"
            f"<td>{_kind(value)}</td><td>{_inline(value.get('description', ''))}</td></tr>"
            for field, value in schema.get("properties", {}).items()
        )
        parts.append(f"<div class='wide'><table><tbody>{rows}</tbody></table></div></article>")
    return "".join(parts)


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _text(text: str) -> str:
    blocks = []
    for block in text.split("\n\n"):
        lines = block.split("\n")
        items = [line[2:] for line in lines if line.startswith("- ")]
        plain = " ".join(line for line in lines if not line.startswith("- "))
        if plain.strip():
            blocks.append(f"<p>{_inline(plain)}</p>")
        if items:
            blocks.append("<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>")
    return "".join(blocks)


_CSS = """
:root { color-scheme: light dark; --ink: #17211f; --paper: #fff; --line: #d5dcda; --tint: #f2f5f4; --accent: #0b6b57; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4ebe9; --paper: #101715; --line: #2c3835; --tint: #18211f; --accent: #5cc9ae; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); display: flex; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; flex: 0 0 200px; padding: 24px 16px; }
nav { border-right: 1px solid var(--line); }
nav ul { list-style: none; padding: 0; }
nav li { margin: 4px 0; }
main { flex: 1; min-width: 0; max-width: 980px; padding: 24px 32px 96px; }
a { color: var(--accent); }
h2 { margin-top: 56px; }
h3 { font-size: 16px; overflow-wrap: anywhere; }
article { border-top: 1px solid var(--line); padding: 8px 0 16px; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { background: var(--tint); padding: 12px; overflow: auto; border-radius: 6px; }
h3 code:first-child { color: var(--accent); font-weight: 700; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); }
summary { cursor: pointer; }
@media (max-width: 720px) {
  body { display: block; }
  nav { position: static; height: auto; border: 0; }
  main { padding: 16px; }
}
"""
