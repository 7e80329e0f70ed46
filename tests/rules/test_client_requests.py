"""How the Python client words requests, and when it tries again: pure."""

from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from ohmstead_client import OPERATIONS, ApiError, ClientError, Conflict, StationOffline, models
from ohmstead_client.events import EventReader, LiveEvent
from ohmstead_client.requests import Call, decoded, encoded, pause_s, problem, segment, version

POST = Call(method="POST", path="/api/v1/locations")
PATCH = Call(method="PATCH", path="/api/v1/locations/1")


def told(status: int, code: str | None = None) -> ApiError:
    return ApiError(status, {"title": "x", "code": code})


@pytest.mark.parametrize(
    ("call", "error", "is_repeated"),
    [
        (POST, None, True),
        (POST, told(503), True),
        (POST, told(429), True),
        (POST, told(409, "in_progress"), True),
        (POST, told(409, "taken"), False),
        (POST, told(500), False),
        (POST, told(504), False),
        (PATCH, None, False),
        (PATCH, told(503), True),
        (Call(method="GET", path="/"), None, True),
        (Call(method="GET", path="/"), told(404), False),
    ],
)
def test_what_was_not_done_or_cannot_be_done_twice_is_tried_again(
    call: Call, error: ApiError | None, is_repeated: bool
) -> None:
    assert (pause_s(call, 1, 3, error, None) is not None) is is_repeated
    assert pause_s(call, 4, 3, error, None) is None


def test_pauses_grow_and_the_servers_word_counts() -> None:
    assert 0.1 < (pause_s(POST, 1, 9, None, None) or 0) <= 0.25
    assert 1 <= (pause_s(POST, 4, 9, None, None) or 0) <= 2
    assert pause_s(POST, 1, 3, told(429), "7") == 7
    assert pause_s(POST, 1, 3, told(429), "3600") is None, "nobody waits for an hour in here"
    assert pause_s(POST, 1, 3, told(503), "Mon, 01 Jan 2001 00:00:00 GMT") == 0


def test_every_post_has_a_key_that_stays_over_all_tries() -> None:
    assert POST.sent_headers["Idempotency-Key"] == POST.sent_headers["Idempotency-Key"]
    assert POST.sent_headers != Call(method="POST", path="/api/v1/locations").sent_headers
    own = Call(method="POST", path="/", headers={"Idempotency-Key": "mine"})
    assert own.sent_headers == {"Idempotency-Key": "mine"}
    assert PATCH.sent_headers == {}


def test_values_are_worded_as_the_api_reads_them() -> None:
    call = Call(method="GET", path="/", query={"connected": True, "status": ["a", "b"], "q": None, "timeout": 1.5})
    assert call.parameters == [("connected", "true"), ("status", "a"), ("status", "b"), ("timeout", "1.5")]
    assert (version(7), version('"7"'), version(None)) == ('"7"', '"7"', None)
    assert segment("A/../B C%") == "A%2F..%2FB%20C%25"
    assert segment(UUID(int=1)).endswith("0001")
    for bad in ("", ".", ".."):
        with pytest.raises(ClientError, match="is no id"):
            segment(bad)


def test_what_is_left_out_stays_and_null_clears() -> None:
    assert encoded(models.StationChange(name="A")) == b'{"name":"A"}'
    assert encoded(models.StationChange(location_id=None)) == b'{"location_id":null}'
    assert msgspec.json.decode(encoded(models.RemoteStart(token_uid="T"))) == {"kind": "remote_start", "token_uid": "T"}
    assert encoded({"energy_wh": Decimal("31250.50")}) == b'{"energy_wh":31250.50}'


def test_an_answer_of_a_newer_server_is_read() -> None:
    example = {"connector_number": 1, "status": "levitating", "colour": "red"}
    missing = dict.fromkeys(("standard", "max_power_w", "status_at", "error_code", "info", "vendor_error_code"))
    read: models.Connector = decoded(encoded(example | missing), models.Connector)
    assert (read.connector_number, read.status) == (1, "levitating")


def test_problems_become_the_exception_of_their_type() -> None:
    body = encoded({"type": "/api/v1/problems/station-offline", "title": "T", "detail": "D", "command_id": "c"})
    error = problem(409, body, "r-1")
    assert isinstance(error, StationOffline)
    assert (error.status, error.detail, error.command_id, error.request_id) == (409, "D", "c", "r-1")
    assert type(problem(418, encoded({"type": "/api/v1/problems/teapot"}), None)) is ApiError
    assert "<html>" in problem(502, b"<html>bad gateway", None).detail
    assert issubclass(Conflict, ApiError)


def test_an_operation_by_name_takes_what_it_knows() -> None:
    known = OPERATIONS["send_command"]
    call = known.prepared({"station_id": "A B", "timeout": 90}, {"kind": "reset"})
    assert (call.method, call.path, call.patience_s) == ("POST", "/api/v1/stations/A%20B/commands", 90)
    assert (call.content, call.content_type) == (b'{"kind":"reset"}', "application/json")
    with pytest.raises(ClientError, match="takes no colour"):
        known.prepared({"station_id": "A", "colour": "red"})
    with pytest.raises(ClientError, match="needs station_id"):
        known.prepared({})


def test_events_are_read_line_by_line_and_noise_is_passed_over() -> None:
    reader = EventReader()
    lines = [
        "retry: 1500",
        ": welcome",
        "",
        "event: session",
        'data: {"kind":"session",',
        'data: "x":1}',
        "",
        "data: no",
    ]
    found = [event for line in [*lines, "", 'data: {"kind":"command"}', ""] for event in reader.read(line)]
    assert found == [LiveEvent("session", {"kind": "session", "x": 1}), LiveEvent("command", {"kind": "command"})]
    assert reader.retry_s == 1.5
