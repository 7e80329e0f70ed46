"""A guest charges without an account: money is held for an outlet, and then, only then, its station is told to begin."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final
from uuid import UUID

from msgspec.structs import asdict

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.payments import applying, orders, performing, starting, store
from ohmstead.billing.payments.model import AdHoc, Kept, NewAdHoc, Operation, Payment, PaymentSetting
from ohmstead.billing.payments.ports import Providers
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, OhmsteadError, Refused
from ohmstead.core.ids import new_id
from ohmstead.core.language import N_, R_
from ohmstead.core.money import Money, minor_units
from ohmstead.sessions.payments import service as web_payments
from ohmstead.tariffs import previewing
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.previewing import PreviewStretch, TariffPreview
from ohmstead.tariffs.records import ApplicableTariff, Place

# Card, 3-D Secure, a bad connection in a garage; then the next guest may.
PAYS_WITHIN: Final = timedelta(minutes=10)
# What most sessions do not go beyond: energy, and time plugged in. What is held covers it.
_TYPICAL: Final = {"AC": (30_000, 6 * 3600), "DC": (60_000, 3600)}
_STEP: Final = Decimal(5)
MOST_HELD_MINOR: Final = 50_000

UNKNOWN = N_("there is no such outlet")
OFFLINE = R_("the station is not connected: nothing can be started there now")
IN_USE = R_("a car charges at this outlet")
NO_PRICE = R_("there is no price for this outlet: nobody can pay here")
BEING_PAID = R_("somebody else is paying for this outlet")


async def begin_ad_hoc(pool: Pool, providers: Providers, given: NewAdHoc) -> AdHoc:
    """Where a guest pays so that a session begins at an outlet. How much is held is ours to say, by the tariff there.

    Raises NotFound, Refused (`code`: offline, in_use, no_price, no_provider), Conflict (being_paid) while somebody else
    pays there or the code of the station's was used, and ExternalFailure when the provider does not answer: then nothing
    is held, and it may be tried again.
    """
    async with pool.acquire() as conn, conn.transaction():
        made = await _prepare(conn, providers, given)
        if not await store.insert_payment(conn, made, None):
            raise Conflict(BEING_PAID, code="being_paid")
        payment = made.payment
        address = given.return_url.replace("{payment_id}", str(payment.payment_id))
        operation_id = await store.insert_operation(
            conn,
            given.party_id,
            payment.payment_id,
            "checkout",
            clock.now(),
            orders.SYSTEM,
            details={"return_url": address},
        )
        # Ours before anybody sees it: a worker that took it would leave the guest without an answer.
        claimed = await store.claim_operation(conn, given.party_id, operation_id, clock.now(), performing.LEASE)
    url = await _page(pool, providers, payment, claimed)
    return AdHoc(payment_id=payment.payment_id, url=url, amount=payment.amount, currency=payment.currency)


async def _page(pool: Pool, providers: Providers, payment: Payment, claimed: Operation | None) -> str:
    party_id = payment.party_id
    kept = await performing.carry_out(pool, providers, None, claimed) if claimed is not None else None
    if kept is not None and kept.checkout_url is not None:
        return kept.checkout_url
    async with pool.acquire() as conn, conn.transaction():
        # Nobody was told where to pay: it is over, whatever the provider made of it.
        kept = await applying.locked(conn, party_id, payment.payment_id)
        if kept.payment.state == "created":
            await applying.give_up(conn, kept, "no_answer")
    raise ExternalFailure("the payment provider does not answer: try again in a moment")


async def _prepare(conn: Connection, providers: Providers, given: NewAdHoc) -> Kept:
    outlet = await store.find_outlet(conn, given.party_id, given.station_id, given.evse_number)
    if outlet is None:
        raise NotFound(UNKNOWN)
    if not outlet["is_connected"]:
        raise Refused(OFFLINE, code="offline")
    if outlet["is_in_use"]:
        raise Refused(IN_USE, code="in_use")
    setting = await store.find_setting(conn, given.party_id)
    provider = providers.get(given.provider or setting.provider).capabilities.name
    amount = await hold_for(conn, given.party_id, given.station_id, given.evse_number, outlet, setting)
    payment_id, now, token_uid = new_id(), clock.now(), starting.new_token_uid()
    if given.web_payment_id is not None:
        leave = await web_payments.use(conn, given.party_id, given.web_payment_id, token_uid)
        if (leave.station_id, leave.evse_number) != (given.station_id, given.evse_number):
            raise Conflict("this code is of another outlet", code="used")
    payment = Payment(
        payment_id=payment_id,
        party_id=given.party_id,
        provider=provider,
        purpose="session",
        customer=f"payment:{payment_id}",
        state="created",
        currency=amount.currency,
        amount=amount.amount,
        captured=Decimal(0),
        refunded=Decimal(0),
        disputed=Decimal(0),
        station_id=given.station_id,
        evse_number=given.evse_number,
        token_uid=token_uid,
        email=given.email,
        language=given.language,
        description=f"{given.station_id} / {given.evse_number}",
        created_at=now,
        version=1,
    )
    return Kept(
        payment=payment,
        is_hold=True,
        wanted=None,
        holds_plug=True,
        debt_id=None,
        web_payment_id=given.web_payment_id,
        provider_ref=None,
        checkout_ref=None,
        checkout_url=None,
        pay_by=now + PAYS_WITHIN,
        held_at=None,
        begin_by=None,
        look_at=None,
    )


async def hold_at(conn: Connection, party_id: UUID, station_id: str, evse_number: int) -> Money:
    """What would be held of a guest at an outlet, for pages. Raises NotFound, and Refused where there is no price."""
    outlet = await store.find_outlet(conn, party_id, station_id, evse_number)
    if outlet is None:
        raise NotFound(UNKNOWN)
    return await hold_for(conn, party_id, station_id, evse_number, outlet, await store.find_setting(conn, party_id))


async def hold_for(
    conn: Connection, party_id: UUID, station_id: str, evse_number: int, outlet: Row, setting: PaymentSetting
) -> Money:
    """What is held of a guest at an outlet: what the party set for its kind of current, else by the tariff there."""
    place = Place(
        party_id=party_id,
        station_id=station_id,
        at=clock.now(),
        location_id=outlet["location_id"],
        evse_number=evse_number,
        is_ad_hoc=True,
    )
    applies = await tariffs.applicable(conn, place)
    if applies.tariff is None:
        raise Refused(NO_PRICE, code="no_price")
    currency, kind = applies.tariff.currency, outlet["current_type"]
    fixed = setting.hold_dc if kind == "DC" else setting.hold_ac
    if fixed is not None:
        # Of what the currency has no coin for, one of its smallest.
        return max(Money(fixed, currency).rounded(), Money.from_minor(1, currency))
    return await _estimate(conn, party_id, applies, kind)


async def _estimate(conn: Connection, party_id: UUID, applies: ApplicableTariff, kind: str) -> Money:
    """What a long session would come to by the tariff, rounded up; where no price can be told, ten steps."""
    tariff = applies.tariff
    assert tariff is not None
    currency = tariff.currency
    step = _STEP.scaleb(max(0, 2 - minor_units(currency)))
    energy_wh, duration_s = _TYPICAL[kind]
    given = TariffPreview(
        tariff=tariff,
        started_at=clock.now(),
        time_zone=applies.time_zone,
        stretches=[PreviewStretch(duration_s=duration_s, energy_wh=Decimal(energy_wh))],
    )
    try:
        total = (await previewing.preview(conn, party_id, given)).total
    except OhmsteadError:
        total = step * 10
    steps = (total / step).to_integral_value(ROUND_CEILING)
    most = Decimal(MOST_HELD_MINOR).scaleb(-minor_units(currency)) if minor_units(currency) == 2 else step * 100
    return Money(min(max(steps * step, step), most), currency).rounded()


async def get_setting(conn: Connection, party_id: UUID) -> PaymentSetting:
    """How a party is paid by guests."""
    return await store.find_setting(conn, party_id)


async def set_setting(conn: Connection, actor: Actor, providers: Providers, given: PaymentSetting) -> PaymentSetting:
    """From now on. Raises Invalid."""
    if given.provider is not None and providers.find(given.provider) is None:
        raise Invalid(f"there is: {', '.join(providers.names) or 'none'}", field="provider")
    for name in ("hold_ac", "hold_dc"):
        value: Decimal | None = getattr(given, name)
        if value is not None and not (value.is_finite() and 0 < value <= 1_000_000):
            raise Invalid("is to be more than nothing, and no more than a million", field=name)
    before: dict[str, Any] = asdict(await store.find_setting(conn, actor.party_id))
    await store.save_setting(conn, actor.party_id, given)
    await accounts.audit(
        conn,
        actor,
        "payment_settings.changed",
        f"party/{actor.party_id}",
        before={name: str(value) for name, value in before.items()},
        after={name: str(value) for name, value in asdict(given).items()},
    )
    return given
