"""The whole API under requests that are made up from its own description: right ones and wrong ones, always the same.

How many there are of a sort, and from when on there is one of each only, bounds how long it takes.
"""

import asyncio
import contextlib
import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from ohmstead.api.reference import api_document
from ohmstead.core.db import Pool
from tests.api.door import Visitor
from tests.api.test_strangers import ids_of
from tests.stories.patience import until

# It never ends, so there is no answer to judge; tests/api/test_events.py reads it.
ENDLESS = {"stream_events"}
# As many as a minute of two cores allows. After `FULLY_FOR_S`, on a busy machine, there is one of each sort.
N_EXAMPLES = {GenerationMode.POSITIVE: 3, GenerationMode.NEGATIVE: 4}
FULLY_FOR_S = 150
ALWAYS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Queries that make the server wait for a station; these cost time and show nothing.
QUICK = {"timeout": 1, "wait_for_session": 0, "wait": 1}


# Said of schemathesis's own strategies.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")


class Fuzzer:
    """Sends to every operation what its description allows, and what it does not."""

    def __init__(self, document: dict[str, Any], url: str, key: str, ids: dict[str, str]) -> None:
        self.document = document
        self.url = url
        self.ids = ids
        self.session = requests.Session()
        self.headers = {"Authorization": f"Bearer {key}"}
        self.n_sent = 0
        self.faults: list[str] = []

    def run(self, only: str | None = None) -> None:
        schema = schemathesis.openapi.from_dict(self.document)
        operations = [result.ok() for result in schema.get_all_operations()]
        began = time.monotonic()
        for operation in sorted(operations, key=when):
            name = operation.definition.raw["operationId"]
            if name in ENDLESS or only not in (None, name):
                continue
            self._try_example(operation)
            for mode, n in N_EXAMPLES.items():
                self._try(operation, mode, n if time.monotonic() - began < FULLY_FOR_S else 1)

    def _known(self, operation: Any) -> dict[str, str]:
        return {name: value for name, value in self.ids.items() if "{" + name + "}" in operation.path}

    def _try_example(self, operation: Any) -> None:
        """The body that the reference shows."""
        for media, content in operation.definition.raw.get("requestBody", {}).get("content", {}).items():
            if "example" in content:
                case = operation.Case(path_parameters=self._known(operation), body=content["example"], media_type=media)
                self._send(case, ALWAYS)

    def _try(self, operation: Any, mode: GenerationMode, n: int) -> None:
        fixed = self._known(operation) if mode is GenerationMode.POSITIVE else None
        checks = [*ALWAYS, *([negative_data_rejection] if mode is GenerationMode.NEGATIVE else [])]

        @settings(
            max_examples=n,
            database=None,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode, path_parameters=fixed))
        def check(case: Any) -> None:
            if mode is GenerationMode.POSITIVE:
                case.query.update({name: value for name, value in QUICK.items() if name in case.query})
            self._send(case, checks)

        try:
            check()
        except Unsatisfiable:
            pass  # an operation that takes nothing has nothing wrong to be sent
        except Exception as error:  # noqa: BLE001  (a request without an answer is a fault like the others)
            self.faults.append(f"{operation.label} {mode}: {type(error).__name__}: {str(error)[:600]}")

    def _send(self, case: Any, checks: list[CheckFunction]) -> None:
        response = case.call(base_url=self.url, session=self.session, headers=self.headers, timeout=20)
        self.n_sent += 1
        try:
            case.validate_response(response, checks=checks, headers=self.headers)
        except (Failure, FailureGroup) as failure:
            parts = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
            for part in parts:
                told = f"{case.operation.label} {type(part).__name__}: {str(part)[:500]}"
                self.faults.append(
                    f"{told}\n   {case.as_curl_command()[:900]}\n   {response.status_code} {response.text[:400]}"
                )


def when(operation: Any) -> tuple[bool, int]:
    """What takes things away comes last, parts before the whole: the others find them."""
    return (True, -operation.path.count("/")) if operation.method.lower() == "delete" else (False, 0)


def fresh(faults: list[str]) -> Iterator[str]:
    """One of each sort."""
    seen = set()
    for fault in faults:
        sort = fault.split(":")[0]
        if sort not in seen:
            seen.add(sort)
            yield fault


@pytest.mark.slow
@pytest.mark.timeout(400)
async def is_caught_up(pool: Pool) -> bool:
    """Has the worker read nearly all that happened, and does no job wait whose time has come?"""
    return bool(
        await pool.fetchval(
            "select coalesce((select max(n) from (select count(*) as n from outbox o, outbox_cursor c"
            "   where o.xid >= c.window_to or (o.xid >= c.window_from and o.event_id > c.done_event_id)"
            "   group by c.consumer) x), 0) < 20"
            " and not exists (select from jobs.pgqueuer where status = 'queued' and execute_after <= now())"
        )
    )


@pytest.mark.usefixtures("runs_installation")
async def test_no_request_breaks_the_api_and_every_answer_is_as_described(api: Visitor) -> None:
    fuzzer = Fuzzer(api_document(), api.front.url, api.key, await ids_of(api))
    await asyncio.to_thread(fuzzer.run)
    # The tests after this one share the worker, and wait for theirs behind all that was begun here.
    with contextlib.suppress(AssertionError):
        await until(lambda: is_caught_up(api.network.pool), "the worker has caught up", patience_s=60)
    assert not fuzzer.faults, "\n".join(fresh(fuzzer.faults))
    assert fuzzer.n_sent > 500


async def test_an_answer_that_is_not_as_described_is_found(api: Visitor) -> None:
    document = copy.deepcopy(api_document())
    del document["paths"]["/api/v1/locations"]["post"]["responses"]["422"]
    document["components"]["schemas"]["Me"]["properties"]["name"] = {"type": "integer"}
    fuzzer = Fuzzer(document, api.front.url, api.key, {})
    for name in ("create_location", "get_me"):
        await asyncio.to_thread(fuzzer.run, name)
    found = "\n".join(fuzzer.faults)
    assert "UndefinedStatusCode" in found
    assert "JsonSchemaError" in found
