"""The simulator's own stations, locations and tokens, made through the REST API like any other integration's."""

import csv
import io
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from ohmstead.core.errors import ExternalFailure
from ohmstead.simulator.plan import StationPlan, Token

# What the API takes in one table; passwords of one's own cost it more.
_ROWS = 4000
_PASSWORD_ROWS = 500


class Provisioned(Struct):
    """What came of it: passwords by station, and how many stations did not exist before."""

    passwords: dict[str, str]
    n_created: int = 0


class _Report(Struct):
    created: int = 0
    failed: list[dict[str, Any]] = []
    secrets: dict[str, str] = {}


async def provision(
    api_url: str, api_key: str, plans: Sequence[StationPlan], cards: Sequence[Token], known: dict[str, str]
) -> Provisioned:
    """Make sure that stations and tokens exist and that every station's password is known.

    `known`: passwords from an earlier run. A station that exists and whose password nobody knows any more is given a
    new one. Raises ExternalFailure with the API's own words.
    """
    result = Provisioned(dict(known))
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "text/csv; charset=utf-8"}
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        for part in _parts(plans, _ROWS):
            report = await _post(session, f"{api_url}/api/v1/stations/bulk", stations_csv(part, {}))
            result.n_created += report.created
            result.passwords.update(report.secrets)
        lost = [plan for plan in plans if plan.station_id not in result.passwords]
        for part in _parts(lost, _PASSWORD_ROWS):
            fresh = {plan.station_id: secrets.token_hex(20) for plan in part}
            await _post(session, f"{api_url}/api/v1/stations/bulk", stations_csv(part, fresh))
            result.passwords.update(fresh)
        for token_part in _parts(cards, _ROWS):
            await _post(session, f"{api_url}/api/v1/tokens/bulk", tokens_csv(token_part))
    return result


def _parts(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[i : i + size] for i in range(0, len(items), size))


async def _post(session: aiohttp.ClientSession, url: str, table: str) -> _Report:
    try:
        async with session.post(url, data=table.encode()) as response:
            body = await response.read()
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ExternalFailure(f"{url}: {str(error) or type(error).__name__}") from error
    if status >= 300:
        text = body[:500].decode(errors="replace")
        raise ExternalFailure(f"{url} answered {status}: {text}", permanent=400 <= status < 500)
    try:
        report = msgspec.json.decode(body, type=_Report)
    except msgspec.DecodeError as error:
        raise ExternalFailure(f"{url}: not the report it should be: {error}", permanent=True) from error
    if report.failed:
        raise ExternalFailure(f"{url} refused {len(report.failed)} rows, the first: {report.failed[0]}", permanent=True)
    return report


def stations_csv(plans: Iterable[StationPlan], passwords: dict[str, str]) -> str:
    """The table for `POST /api/v1/stations/bulk`."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(
        ("station_id", "location", "name", "password", "security_profile", "latitude", "longitude", "city", "evses")
    )
    for plan in plans:
        evses = " ".join(f"{e.number}:{'DC' if e.is_dc else 'AC'}:{e.max_power_w}:{e.standard}" for e in plan.evses)
        has_place = bool(plan.latitude or plan.longitude)
        table.writerow(
            (
                plan.station_id,
                plan.location,
                plan.name,
                passwords.get(plan.station_id, ""),
                1,
                plan.latitude if has_place else "",
                plan.longitude if has_place else "",
                plan.city,
                evses,
            )
        )
    return text.getvalue()


def tokens_csv(cards: Iterable[Token]) -> str:
    """The table for `POST /api/v1/tokens/bulk`. The cards may be used by several at once, as test cards are."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("uid", "type", "label", "group_uid", "max_sessions"))
    for number, card in enumerate(cards, 1):
        table.writerow((card.uid, card.type, f"Card {number}", card.group_uid or "", "any"))
    return text.getvalue()
