"""The document tells the truth: it is well-formed, complete, and its examples fit what the code takes and gives."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from litestar.handlers import HTTPRouteHandler

from ohmstead.accounts.access import ACTIONS
from ohmstead.api import openapi
from ohmstead.api.examples import EXAMPLES, example_of
from ohmstead.api.operations import answer as api_answer
from ohmstead.api.routes import PREFIX, RESOURCES
from tests.api.door import Front, Visitor, found

DOCUMENT = json.loads(msgspec.json.encode(openapi.document(RESOURCES, PREFIX)))
HANDLERS = {handler.handler_name: handler for handlers in RESOURCES.values() for handler in handlers}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"]) for path, method, operation in operations()
]


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """With the document's components in reach."""
    return Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


async def test_it_is_served_to_anybody_without_fetching_anything(front: Front) -> None:
    async with front.nobody() as nobody:
        assert found(await nobody.get("/api/v1/openapi.json")) == DOCUMENT
        page = await nobody.get("/api/v1/docs")
        assert page.headers["content-type"].startswith("text/html")
        fetched = set(re.findall(r"(?:src|href)='([^#][^']*)'", page.text))
        assert fetched == {"/api/v1/docs.css", "/api/v1/openapi.json", "/static/favicon.svg"}
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert (await nobody.get("/api/v1/docs.css")).headers["content-type"].startswith("text/css")
        anchors = set(re.findall(r"id='([^']+)'", page.text))
        assert set(re.findall(r"href='#([^']+)'", page.text)) <= anchors
        leads_to = (await nobody.get("/api/v1/problems/stale")).headers["location"]
        assert leads_to == "/api/v1/docs#problem-stale"
        assert (await nobody.get("/api/v1/problems/unheard-of")).headers["location"] == "/api/v1/docs#problems"


def test_it_has_what_openapi_asks_for() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids)) == len(HANDLERS)
    for reference in references(DOCUMENT):
        place = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Za-z0-9_-]+", name), f"{name}: two types have this name; rename one"
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["tags"][0] in [tag["name"] for tag in DOCUMENT["tags"]]
    assert operation["x-required-scope"] in {*ACTIONS, None}
    named = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
    assert named == re.findall(r"\{(\w+)\}", path)
    for parameter in operation["parameters"]:
        assert parameter["description"], parameter["name"]
        Draft202012Validator.check_schema(parameter["schema"])
    if method == "post":
        assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_has_examples_that_fit_their_schemas(path: str, method: str, operation: dict[str, Any]) -> None:
    contents = [operation["requestBody"]["content"]] if "requestBody" in operation else []
    good = [r for status, r in operation["responses"].items() if status.startswith("2")]
    assert len(good) == 1
    contents += [response["content"] for response in good if "content" in response]
    assert contents or "204" in operation["responses"]
    for content in contents:
        first = next(iter(content.values()))
        assert "example" in first, path
        validator(first["schema"]).validate(first["example"])


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_says_how_it_fails(path: str, method: str, operation: dict[str, Any]) -> None:
    failing = {status for status in operation["responses"] if not status.startswith("2")}
    assert {"400", "401", "403", "500"} <= failing
    assert "404" in failing or "{" not in path
    assert "422" in failing or "requestBody" not in operation
    for status in failing:
        response = DOCUMENT["components"]["responses"][operation["responses"][status]["$ref"].rpartition("/")[2]]
        (content,) = response["content"].values()
        validator(content["schema"]).validate(content["example"])


@pytest.mark.parametrize("kind", EXAMPLES, ids=str)
def test_every_example_is_one_that_the_code_takes_and_gives(kind: Any) -> None:
    example = example_of(kind)
    value = msgspec.json.decode(msgspec.json.encode(example), type=kind, strict=True)
    back = json.loads(api_answer(value).content)
    for name in example:
        assert back[name] == example[name] or isinstance(example[name], dict | list), name


@pytest.mark.usefixtures("runs_installation")
async def test_what_is_really_answered_fits_the_document(api: Visitor) -> None:
    """The lists and single things of a small network, against the schemas they are documented with."""
    from tests.api.test_strangers import filled, ids_of, method_of

    ids = await ids_of(api)
    checked = 0
    for path, method, operation in operations():
        handler: HTTPRouteHandler = HANDLERS[operation["operationId"]]
        (status,) = [status for status in operation["responses"] if status.startswith("2")]
        media, content = next(iter(operation["responses"][status].get("content", {"": {}}).items()))
        if method != "get" or media != "application/json":
            continue
        answer = await api.client.request(method_of(handler), filled(handler, ids))
        assert answer.status_code == int(status), (path, answer.text)
        validator(content["schema"]).validate(answer.json())
        checked += 1
    assert checked > 18


@pytest.mark.parametrize("operation", [p for *_, p in operations() if p["parameters"]], ids=lambda p: p["operationId"])
def test_defaults_of_parameters_fit_their_schemas(operation: dict[str, Any]) -> None:
    for parameter in operation["parameters"]:
        if "default" in parameter["schema"]:
            validator(parameter["schema"]).validate(parameter["schema"]["default"])
