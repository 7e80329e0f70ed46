"""/web-payments: QR codes that drivers scan, and the sessions that they pay for; /station-costs: what stations reckon."""

from uuid import UUID

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from ohmstead.api.operations import TheActor, TheDesk, ThePool, TheSettings, answer, operation
from ohmstead.core import clock
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.sessions.notices import queries as notices
from ohmstead.sessions.notices.queries import StationCostView
from ohmstead.sessions.payments import service as payments
from ohmstead.sessions.payments.model import NewSetup, NewStart, Refusal, Scan, SetupView, WebPayment
from ohmstead.stations.orders import Command

_TAKEN = frozenset(("password_used", "being_paid"))


@put("/stations/{station_id:str}/web-payments", opt=operation("commands:send", errors=(404, 409)))
async def set_up_web_payments(
    pool: ThePool,
    desk: TheDesk,
    actor: TheActor,
    settings: TheSettings,
    station_id: FromPath[str],
    given: NamedDependency[NewSetup],
) -> Response[SetupView]:
    """Have a station show QR codes with one-time passwords (OCPP 2.1 C25).

    It gets a secret of its own, another one each time; codes that it showed before are over.
    """
    made = await payments.set_up(
        pool,
        desk,
        settings.secret(),
        party_id=actor.party_id,
        station_id=station_id,
        given=given,
        requested_by=actor.actor_id,
    )
    return answer(made)


@post("/web-payments", opt=operation("commands:send", errors=(409,)))
async def scan_code(
    pool: ThePool, desk: TheDesk, actor: TheActor, settings: TheSettings, given: NamedDependency[Scan]
) -> Response[WebPayment]:
    """Look at a QR code that somebody scanned; a good one gives leave to pay for a session at its EVSE.

    The password must be the one that the station shows now, or its neighbour in time, and counts once at an EVSE.
    The station is told that somebody pays.
    """
    async with pool.acquire() as conn, conn.transaction():
        found = await payments.scan(conn, settings.secret(), actor.party_id, given, clock.now())
    if isinstance(found, Refusal):
        if found.why in _TAKEN:
            raise Conflict(found.text, code=found.why)
        raise Invalid(found.text, field=found.field, code=found.why)
    await payments.announce(desk, found, actor.actor_id)
    return answer(found, status=201)


@post("/web-payments/{web_payment_id:uuid}/start", status_code=200, opt=operation("commands:send", errors=(404, 409)))
async def start_paid(
    pool: ThePool,
    desk: TheDesk,
    actor: TheActor,
    web_payment_id: FromPath[UUID],
    given: NamedDependency[NewStart],
) -> Response[Command]:
    """Start the session that was paid for. One payment starts one session."""
    return answer(await payments.start(pool, desk, actor.party_id, web_payment_id, given, actor.actor_id))


@get("/sessions/{session_id:uuid}/station-cost", opt=operation("sessions:read", errors=(404,)))
async def get_station_cost(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[StationCostView]:
    """Read what the station reckons that a session costs, where it reckons by itself."""
    async with pool.acquire() as conn:
        return answer(await notices.get_station_cost(conn, actor.party_id, session_id))


HANDLERS = [set_up_web_payments, scan_code, start_paid, get_station_cost]
