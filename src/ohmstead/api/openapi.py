"""The OpenAPI 3.1 document, made from the handlers' signatures: what it says is what the code takes and gives."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, get_args

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec.inspect import DateTimeType, StructType

import ohmstead
from ohmstead.accounts.access import ACTIONS
from ohmstead.api.catalogue import CODES, PROBLEMS
from ohmstead.api.examples import TEXT_EXAMPLES, example_of
from ohmstead.api.operations import CSV, Operation
from ohmstead.api.problems import MEDIA_TYPE, TYPE_PREFIX, Problem, all_types
from ohmstead.facts import catalogue
from ohmstead.facts.kinds import EXAMPLE_AT, Kind
from ohmstead.stations.directory import bulk as station_tables
from ohmstead.stations.sites import rows as site_tables
from ohmstead.tokens.register import service as token_tables
from ohmstead.webhooks.model import Message

_SIGNED = {
    "webhook-id": "The same in every attempt: what came before needs no work again.",
    "webhook-timestamp": "Seconds since 1970 of this attempt.",
    "webhook-signature": "`v1,` and HMAC-SHA256 of `id.timestamp.body` in base64; two of them while a secret is replaced.",
}
_REF = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"\{(\w+):(\w+)\}")
_USUAL_ERRORS = (400, 401, 403, 429, 500)
_COLUMNS = {
    "import_stations": station_tables.COLUMNS,
    "import_tokens": token_tables.COLUMNS,
    "import_locations": site_tables.COLUMNS,
}
_PATH_MEANINGS = {
    "station_id": "The station's OCPP identity.",
    "action": "The message as OCPP names it, as `ClearCache`.",
    "certificate_id": "The certificate's id.",
    "kind": "The message that the report came in, as `NotifyReport`.",
    "request_id": "The number under which the report was asked for.",
    "digest": "SHA-256 of the signed data, hexadecimal.",
}
_ABOUT = """
Everything under `/api/v1` is JSON unless it says otherwise. Times are RFC 3339 in UTC; energies in Wh and powers in W are
exact decimal numbers. Send an API key as `Authorization: Bearer ohm_…`. Lists come in pages: follow `next_cursor`, or the
`Link` header, until it is null. Errors are problem documents (RFC 9457). Unknown query parameters are refused.
"""


def document(resources: Mapping[str, Sequence[HTTPRouteHandler]], prefix: str) -> dict[str, Any]:
    """The whole document. `resources`: handlers by the tag they stand under."""
    described = [(tag, handler) for tag, handlers in resources.items() for handler in handlers]
    types = {kind for _, handler in described for kind in _types_of(handler)}
    schemas = _schemas(types) | catalogue.schemas()
    paths: dict[str, dict[str, Any]] = {}
    for tag, handler in described:
        path = prefix + _PATH_PARAMETER.sub(r"{\1}", next(iter(handler.paths)))
        method = next(iter(handler.http_methods)).lower()
        paths.setdefault(path, {})[method] = _operation(tag, handler, schemas)
    queries = {_filters_of(handler).__name__ for _, handler in described if _filters_of(handler) is not None}
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "Ohmstead",
            "version": ohmstead.__version__,
            "description": _ABOUT.strip(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in resources],
        "security": [{"key": []}, {"browser": []}],
        "paths": paths,
        "webhooks": {kind.name: _told(kind) for kind in catalogue.in_order()},
        "components": {
            "schemas": {name: schema for name, schema in sorted(schemas.items()) if name not in queries},
            "securitySchemes": _security_schemes(),
            "responses": _problem_responses(),
        },
        "x-problems": _catalogue(),
        "x-problem-codes": CODES,
    }
    renamed: dict[str, Any] = _renamed(made, {name: _public_name(name) for name in schemas})
    return renamed


def _told(kind: Kind) -> dict[str, Any]:
    """What a webhook is sent of a kind of event."""
    message = {
        "type": kind.name,
        "timestamp": EXAMPLE_AT,
        "event_id": 4711,
        "subject": kind.subject,
        "data": kind.example,
    }
    schema = {
        "allOf": [{"$ref": _REF.format(name="Message")}],
        "properties": {"type": {"const": kind.name}, "data": {"$ref": _REF.format(name=kind.name)}},
    }
    return {
        "post": {
            "operationId": f"on_{kind.name}",
            "tags": ["Webhooks"],
            "summary": kind.name,
            "description": (kind.payload.__doc__ or "").strip(),
            "parameters": [
                {"name": name, "in": "header", "required": True, "description": meaning, "schema": {"type": "string"}}
                for name, meaning in _SIGNED.items()
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": schema, "example": message}},
            },
            "responses": {
                "2XX": {"description": "Taken. Anything else, and silence, is tried again for three days."},
                "410": {"description": "Never again: the webhook is switched off."},
            },
        }
    }


def _public_name(name: str) -> str:
    """How the API calls a type: `Page_StationView_` is a `StationPage`."""
    page = re.fullmatch(r"Page_(\w+)_", name)
    return f"{_public_name(page[1])}Page" if page else name.removesuffix("View")


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            place, _, name = value["$ref"].rpartition("/")
            return {"$ref": f"{place}/{names.get(name, name)}"}
        renamed = {names.get(key, key): _renamed(item, names) for key, item in value.items()}
        if isinstance(value.get("title"), str) and "properties" in value:
            renamed["title"] = _public_name(re.sub(r"\W", "_", value["title"]))
        return renamed
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value


def _security_schemes() -> dict[str, Any]:
    scopes = "\n".join(f"- `{name}`: {meaning}" for name, meaning in ACTIONS.items())
    return {
        "key": {"type": "http", "scheme": "bearer", "description": f"An API key with its scopes:\n{scopes}"},
        "browser": {
            "type": "apiKey",
            "in": "cookie",
            "name": "ohmstead",
            "description": "A signed-in browser. Whatever changes something needs the header X-CSRF-Token, too.",
        },
    }


def _problem_responses() -> dict[str, Any]:
    responses = {}
    for status in (400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 500, 502, 503, 504):
        name, title = next((name, title) for number, name, title in all_types() if number == status)
        example = {
            "type": TYPE_PREFIX + name,
            "title": title,
            "status": status,
            "detail": f"{title}: here stands what, in words for people.",
            "instance": "/api/v1/stations",
        }
        responses[f"Problem{status}"] = {
            "description": f"{HTTPStatus(status).phrase}: {title}.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}, "example": example}},
        }
    return responses


def _catalogue() -> list[dict[str, Any]]:
    """Every type of problem, what it means and what to do about it."""
    return [
        {
            "type": TYPE_PREFIX + name,
            "status": status,
            "title": title,
            "meaning": PROBLEMS[name].meaning,
            "remedy": PROBLEMS[name].remedy,
        }
        for status, name, title in all_types()
    ]


def _operation(tag: str, handler: HTTPRouteHandler, schemas: Mapping[str, Any]) -> dict[str, Any]:
    known: Operation = handler.opt["operation"]
    name = handler.handler_name
    summary, _, rest = (handler.fn.__doc__ or "").strip().partition("\n")
    scope = f"Takes the scope `{known.action}`." if known.action else "Takes no scope."
    text = re.sub(r"\n\s+", "\n", rest).strip()
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": [tag],
        "summary": summary.rstrip("."),
        "description": f"{text}\n\n{scope}".strip(),
        "x-required-scope": known.action,
        "parameters": [*_path_parameters(handler), *_query_parameters(handler, schemas), *_header_parameters(handler)],
        "responses": {**_good_response(handler), **_errors(handler)},
    }
    if body := _body(handler):
        operation["requestBody"] = body
    return operation


def _path_parameters(handler: HTTPRouteHandler) -> Iterator[dict[str, Any]]:
    for name, kind in _PATH_PARAMETER.findall(next(iter(handler.paths))):
        schema = {"type": "string", "format": "uuid"} if kind == "uuid" else {"type": "string"}
        meaning = _PATH_MEANINGS.get(name, f"Which {name.removesuffix('_id').replace('_', ' ')}.")
        yield {"name": name, "in": "path", "required": True, "description": meaning, "schema": schema}


def _query_parameters(handler: HTTPRouteHandler, schemas: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    filters = _filters_of(handler)
    if filters is None:
        return
    for name, schema in schemas[filters.__name__]["properties"].items():
        schema = dict(schema)
        meaning = schema.pop("description", "")
        options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
        if len(options) == 1:
            # A parameter is there or it is not; there is no null in a URL.
            schema = options[0]
            meaning = meaning or schema.get("description", "")
        if schema.get("default", 0) is None:
            del schema["default"]
        yield {"name": name, "in": "query", "required": False, "description": meaning, "schema": schema}


def _header_parameters(handler: HTTPRouteHandler) -> Iterator[dict[str, Any]]:
    known: Operation = handler.opt["operation"]
    if "POST" in handler.http_methods:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same key and body again within a day gets the first answer, and nothing is done twice.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    if known.takes_if_match:
        yield {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": "The ETag you read. Refused with 412 when it has changed since.",
            "schema": {"type": "string"},
        }


def _body(handler: HTTPRouteHandler) -> dict[str, Any] | None:
    known: Operation = handler.opt["operation"]
    name = handler.handler_name
    if (given := _given_of(handler)) is not None:
        schema = msgspec.json.schema_components([given], ref_template=_REF)[0][0]
        return {"required": True, "content": {"application/json": {"schema": schema, "example": example_of(given)}}}
    if known.takes == CSV:
        columns = "\n".join(f"- `{column}`: {meaning}" for column, meaning in _COLUMNS[name].items())
        content = {CSV: {"schema": {"type": "string"}, "example": TEXT_EXAMPLES[name]}}
        content |= {media: {"schema": _plain(media)} for media in known.also_takes}
        return {"required": True, "description": f"Columns:\n{columns}", "content": content}
    if known.takes == "application/octet-stream":
        schema = {"type": "string", "format": "binary", "description": "The file, as it is."}
        return {"required": True, "content": {known.takes: {"schema": schema, "example": TEXT_EXAMPLES[name]}}}
    if known.takes != "application/json":
        schema = {"type": "object", "description": "The payload, as the version's official schema wants it."}
        return {"content": {"application/json": {"schema": schema, "example": TEXT_EXAMPLES[name]}}}
    return None


def _plain(media: str) -> dict[str, Any]:
    """The schema of a body that is no JSON of ours."""
    if media == "application/json":
        return {
            "description": "OCPI 2.2.1 objects: a list, one alone, or an answer of OCPI that holds them as `data`.",
            "anyOf": [{"type": "array", "items": {"type": "object"}, "minItems": 1}, {"type": "object"}],
        }
    return {"type": "string"} if media.startswith("text/") else {"type": "string", "format": "binary"}


def _good_response(handler: HTTPRouteHandler) -> dict[str, Any]:
    known: Operation = handler.opt["operation"]
    answered = _answer_of(handler)
    status = str(handler.status_code)
    if answered is None:
        return {status: {"description": "Done."}}
    if handler.handler_name in TEXT_EXAMPLES and answered in (str, bytes):
        content = {media: {"schema": _plain(media)} for media in known.exports}
        content[known.exports[0]]["example"] = TEXT_EXAMPLES[handler.handler_name]
        return {status: {"description": "As it comes.", "content": content}}
    schema = _numbers(msgspec.json.schema_components([answered], ref_template=_REF)[0][0])
    content = {"application/json": {"schema": schema, "example": example_of(answered)}}
    for media in known.exports:
        what = "One row for each" if media == CSV else "One line of JSON for each"
        content[media] = {"schema": {"type": "string", "description": f"{what}, everything that matches."}}
    described = getattr(answered, "__origin__", answered)
    text = (described.__doc__ or "").strip().partition("\n")[0]
    response: dict[str, Any] = {"description": text, "content": content}
    if known.takes_if_match or "version" in getattr(answered, "__struct_fields__", ()):
        response["headers"] = {"ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}}
    return {status: response}


def _errors(handler: HTTPRouteHandler) -> dict[str, Any]:
    known: Operation = handler.opt["operation"]
    statuses = {*_USUAL_ERRORS, *known.errors}
    if known.takes_if_match:
        statuses.add(412)
    if _given_of(handler) is not None or known.takes != "application/json":
        statuses |= {413, 415, 422}
    if "POST" in handler.http_methods:
        statuses |= {409, 422}
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(statuses)}


# ------------------------------------------------------------------------------------------- types from signatures


def _given_of(handler: HTTPRouteHandler) -> Any:
    parameter = handler.parsed_fn_signature.parameters.get("given")
    return None if parameter is None else parameter.annotation


def _filters_of(handler: HTTPRouteHandler) -> Any:
    parameter = handler.parsed_fn_signature.parameters.get("filters")
    return None if parameter is None else parameter.annotation


def _answer_of(handler: HTTPRouteHandler) -> Any:
    arguments = get_args(handler.parsed_fn_signature.return_type.annotation)
    return arguments[0] if arguments else None


def _types_of(handler: HTTPRouteHandler) -> Iterator[Any]:
    for kind in (_given_of(handler), _filters_of(handler), _answer_of(handler)):
        if kind not in (None, str, bytes):
            yield kind
    yield Problem
    yield Message


def _schemas(types: set[Any]) -> dict[str, Any]:
    roots = sorted(types, key=str)
    structs = list(_structs(msgspec.inspect.multi_type_info(roots)))
    references, components = msgspec.json.schema_components(
        [*roots, *(kind.cls for kind in structs)], ref_template=_REF
    )
    for reference, kind in zip(references[len(roots) :], structs, strict=True):
        _say_times(components[reference["$ref"].rpartition("/")[2]], kind)
    schemas: dict[str, Any] = _numbers(components)
    return schemas


def _structs(kinds: Iterable[Any]) -> Iterator[StructType]:
    """Every struct that can be reached, once."""
    waiting, seen = list(kinds), set()
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, StructType):
            if kind.cls in seen:
                continue
            seen.add(kind.cls)
            yield kind
            waiting += [field.type for field in kind.fields]
        else:
            waiting += _inner(kind)


def _inner(kind: Any) -> list[Any]:
    """What a type is made of."""
    parts = [getattr(kind, name, None) for name in ("type", "item_type", "key_type", "value_type")]
    return [
        *(part for part in parts if isinstance(part, msgspec.inspect.Type)),
        *getattr(kind, "types", ()),
        *getattr(kind, "item_types", ()),
    ]


def _say_times(schema: dict[str, Any], kind: StructType) -> None:
    """Every instant leaves as RFC 3339; msgspec says so only of those that it takes in with a zone."""
    for field in kind.fields:
        if any(isinstance(part, DateTimeType) for part in _leaves(field.type)):
            _mark_times(schema["properties"][field.encode_name])


def _leaves(kind: Any) -> Iterator[Any]:
    inner = _inner(kind) if not isinstance(kind, StructType) else []
    yield kind
    for part in inner:
        yield from _leaves(part)


def _mark_times(schema: dict[str, Any]) -> None:
    # A field that is a time or something else that is written as text would be one that no reader can tell apart.
    if schema.get("type") == "string" and "enum" not in schema and "format" not in schema:
        schema["format"] = "date-time"
    for part in (*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            _mark_times(part)


def _numbers(schema: Any) -> Any:
    """Decimals as they are sent: JSON numbers, with every digit."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {**schema, "type": "number"}
        return {name: _numbers(value) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_numbers(item) for item in schema]
    return schema
