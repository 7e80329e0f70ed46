"""Whatever is thrown at it, the API answers with a problem document and goes on."""

from typing import Any

import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler

from tests.api.door import Visitor, problem
from tests.api.test_strangers import ROUTES, UNKNOWN_IDS, filled, method_of, name_of

pytestmark = pytest.mark.usefixtures("runs_installation")

TAKES_JSON = [h for h in ROUTES if "given" in h.parsed_fn_signature.parameters or h.handler_name == "send_message"]
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "blank": b"  \n",
    "not JSON": b"{name: x}",
    "cut off": b'{"name": "x"',
    "two": b"{} {}",
    "not a number": b'{"latitude": NaN}',
    "huge number": b'{"latitude": 1e999}',
    "list": b"[1, 2]",
    "text": b'"text"',
    "null": b"null",
    "number": b"7",
    "deep": b'{"name":' + b"[" * 100_000,
    "deep and closed": b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "NUL": b'{"name": "a\\u0000b"}',
    "raw NUL": b'{"name": "a\x00b"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "prototype": b'{"__proto__": {"admin": true}}',
    "byte order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("handler", TAKES_JSON, ids=name_of)
async def test_bodies_that_are_no_input_are_problems(api: Visitor, handler: HTTPRouteHandler) -> None:
    for name, body in BODIES.items():
        answer = await api.client.request(
            method_of(handler), filled(handler, UNKNOWN_IDS), content=body, headers={"Content-Type": "application/json"}
        )
        # Where an empty object is input, the thing it is for is not there.
        assert answer.status_code in (400, 404, 422), (name, answer.status_code, answer.text)
        problem(answer, answer.status_code)


@pytest.mark.parametrize("handler", TAKES_JSON, ids=name_of)
async def test_a_body_of_another_kind_is_refused(api: Visitor, handler: HTTPRouteHandler) -> None:
    for media in ("text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"):
        answer = await api.client.request(
            method_of(handler), filled(handler, UNKNOWN_IDS), content=b"<a/>", headers={"Content-Type": media}
        )
        problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("handler", [h for h in TAKES_JSON if "bulk" not in str(h.paths)], ids=name_of)
async def test_a_body_beyond_a_megabyte_is_refused(api: Visitor, handler: HTTPRouteHandler) -> None:
    answer = await api.client.request(
        method_of(handler),
        filled(handler, UNKNOWN_IDS),
        content=b'{"name": "' + b"x" * 1_100_000 + b'"}',
        headers={"Content-Type": "application/json"},
    )
    problem(answer, 413, "too-large")


@pytest.mark.parametrize("handler", ROUTES, ids=name_of)
async def test_query_parameters_that_do_not_exist_are_refused(api: Visitor, handler: HTTPRouteHandler) -> None:
    answer = await api.client.request(
        method_of(handler), filled(handler, UNKNOWN_IDS), params={"colour": "red"}, json={}
    )
    assert problem(answer, 400, "bad-request")["field"] == "colour"


FILTERED = [
    handler
    for handler in ROUTES
    if "filters" in handler.parsed_fn_signature.parameters and handler.handler_name != "stream_events"
]


@pytest.mark.parametrize("handler", FILTERED, ids=name_of)
async def test_query_parameters_with_impossible_values_are_refused(api: Visitor, handler: HTTPRouteHandler) -> None:
    kind = handler.parsed_fn_signature.parameters["filters"].annotation
    for field in msgspec.structs.fields(kind):
        for value in ("\x00", "\ud800".encode("utf-8", "surrogatepass"), "x" * 2000):
            answer = await api.client.request(
                method_of(handler), filled(handler, UNKNOWN_IDS), params={field.encode_name: value}, json={}
            )
            assert answer.status_code in (200, 400, 404), (field.name, answer.text)
            if answer.status_code != 200:
                problem(answer, answer.status_code)


async def test_a_parameter_given_twice_is_refused_unless_it_is_a_list(api: Visitor) -> None:
    problem(await api.client.get("/stations?limit=1&limit=2"), 400, "bad-request")
    assert (await api.client.get("/stations?status=faulted&status=charging")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/stations/%00", "/stations/a%00b", "/stations/%FF", "/stations/" + "x" * 3000, "/stations/%2e%2e"]
)
async def test_ids_that_cannot_exist_are_not_found_or_refused(api: Visitor, path: str) -> None:
    answer = await api.client.get(path)
    assert answer.status_code in (400, 404)
    problem(answer, answer.status_code)


@pytest.mark.parametrize("text", ["' or 1=1 --", "%", "_", "\\", "{}", "$1", "\U0001f50c", "ß"])
async def test_texts_are_looked_for_as_they_are(api: Visitor, text: str) -> None:
    await api.posts("/stations", {"station_id": api.name("A"), "name": "plain"})
    assert (await api.gets("/stations", q=text))["items"] == []
    await api.posts("/stations", {"station_id": api.name("B"), "name": f"has {text} in it"})
    assert [s["station_id"] for s in (await api.gets("/stations", q=text))["items"]] == [api.name("B")]


async def test_a_method_that_a_path_does_not_know_is_a_problem(api: Visitor) -> None:
    answer = await api.client.put("/stations", json={})
    problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


async def test_a_path_that_does_not_exist_is_a_problem(api: Visitor) -> None:
    problem(await api.client.get("/nothing/here"), 404, "not-found")


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/locations", {"name": True}),
        ("/locations", {"name": "A", "latitude": "1", "longitude": 2}),
        ("/stations", {"station_id": 7}),
        ("/stations", {"station_id": "A", "security_profile": True}),
        ("/stations", {"station_id": "A", "evses": {}}),
        ("/tokens", {"uid": "A", "is_master": 1}),
        ("/tokens", {"uid": "A", "weekdays": 1.5}),
    ],
)
async def test_types_are_not_guessed(api: Visitor, path: str, given: dict[str, Any]) -> None:
    problem(await api.client.post(path, json=given), 422, "invalid")
