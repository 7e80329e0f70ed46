"""A CDR as OCPI 2.2.1 has it (module cdrs): for partners, and for whoever reads that format. Pure.

What OCPI wants and nobody told us is what it most often is: `#NA` is for reservations only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from ohmstead.billing.cdrs.model import Cdr, CdrPlace
from ohmstead.billing.cdrs.reckoning import REVENUE, net_lines
from ohmstead.billing.ledger.entries import RevenueKind
from ohmstead.sessions.model import ChargingPeriod
from ohmstead.sessions.signed.model import SignedReading
from ohmstead.sessions.signed.records import text_of
from ohmstead.stations.sites.countries import in_three
from ohmstead.tariffs.model import PriceComponent, Tariff, TariffElement, TariffRestrictions

_FOUR: Final = Decimal("0.0001")
_HOUR: Final = 3600
_ONE_PHASE_W: Final = 7400
_MOST_SIGNED: Final = 5000
_MOST_PLAIN: Final = 512
AuthMethod: TypeAlias = Literal["AUTH_REQUEST", "COMMAND", "WHITELIST"]
_TOKEN_TYPES: Final = {
    "Central": "APP_USER",
    "DirectPayment": "AD_HOC_USER",
    "eMAID": "OTHER",
    "ISO14443": "RFID",
    "ISO15693": "RFID",
}
_COSTS: Final[dict[str, RevenueKind]] = {
    "total_fixed_cost": "flat",
    "total_energy_cost": "energy",
    "total_time_cost": "time",
    "total_parking_cost": "parking",
    "total_reservation_cost": "reservation",
}
# A car that would take power and gets none is charging, as pricing has it.
_CHARGING: Final = frozenset({"charging", "suspended_evse"})


class OcpiPrice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """OCPI's Price."""

    excl_vat: Decimal
    incl_vat: Decimal | None = None


class OcpiCdr(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """OCPI 2.2.1's CDR, with what we know of it. Energies in kWh, times in hours."""

    country_code: str
    party_id: str
    id: str
    start_date_time: str
    end_date_time: str
    session_id: str
    cdr_token: dict[str, Any]
    auth_method: str
    cdr_location: dict[str, Any]
    currency: str
    tariffs: list[dict[str, Any]]
    charging_periods: list[dict[str, Any]]
    total_cost: OcpiPrice
    total_energy: Decimal
    total_time: Decimal
    total_parking_time: Decimal
    last_updated: str
    signed_data: dict[str, Any] | None = None
    total_fixed_cost: OcpiPrice | None = None
    total_energy_cost: OcpiPrice | None = None
    total_time_cost: OcpiPrice | None = None
    total_parking_cost: OcpiPrice | None = None
    total_reservation_cost: OcpiPrice | None = None
    remark: str | None = None
    credit: bool | None = None
    credit_reference_id: str | None = None


def cdr_object(
    cdr: Cdr,
    country_code: str,
    party_code: str,
    tariff: Tariff,
    *,
    auth_method: AuthMethod = "WHITELIST",
    signed: Sequence[SignedReading] = (),
) -> OcpiCdr:
    """The object `CDR`. `country_code` and `party_code` are the network operator's, `tariff` the rules that it kept.

    A credit has all that its charge has, and the negative `total_cost`. `signed`: what the meter signed in the session.
    """
    parked_s = sum(_seconds(one) for one in cdr.periods if one.kind not in _CHARGING)
    found: dict[str, Any] = {
        "country_code": country_code,
        "party_id": party_code,
        "id": str(cdr.cdr_id),
        "start_date_time": _instant(cdr.started_at),
        "end_date_time": _instant(cdr.ended_at),
        "session_id": str(cdr.session_id),
        "cdr_token": _token(cdr),
        "auth_method": auth_method,
        "cdr_location": _location(cdr, country_code, party_code),
        "currency": cdr.currency,
        "tariffs": [_tariff(cdr, country_code, party_code, tariff)],
        "charging_periods": _periods(cdr),
        "total_cost": {"excl_vat": _number(cdr.before_taxes), "incl_vat": _number(cdr.total)},
        "total_energy": _number(cdr.energy_wh / 1000),
        "total_time": _hours((cdr.ended_at - cdr.started_at).total_seconds()),
        "total_parking_time": _hours(parked_s),
        "last_updated": _instant(cdr.created_at),
    }
    found |= _costs(cdr)
    if (evidence := _signed(signed)) is not None:
        found["signed_data"] = evidence
    if cdr.reason:
        found["remark"] = cdr.reason[:255]
    if cdr.credits_id is not None:
        found |= {"credit": True, "credit_reference_id": str(cdr.credits_id)}
    return msgspec.convert(found, OcpiCdr)


def _costs(cdr: Cdr) -> dict[str, Any]:
    """By kind, without taxes; what OCPI has no kind for (discounts, caps) is in `total_cost` alone."""
    sums: dict[RevenueKind, Decimal] = {}
    for line, net in zip(cdr.cost.lines, net_lines(cdr.cost), strict=True):
        kind = REVENUE[line.kind]
        sums[kind] = sums.get(kind, Decimal(0)) + net
    return {name: {"excl_vat": _number(sums[kind])} for name, kind in _COSTS.items() if kind in sums}


def _signed(readings: Sequence[SignedReading]) -> dict[str, Any] | None:
    """OCPI's SignedData: of one encoding, the session's first; values longer than OCPI takes are left out."""
    if not readings:
        return None
    encoding = readings[0].format
    values = []
    for place, one in enumerate(of := [one for one in readings if one.format == encoding]):
        text = text_of(one.raw)
        blob = text if text is not None else one.raw.decode("ascii", "replace")
        if len(blob) > _MOST_SIGNED:
            continue
        nature = "Start" if place == 0 else "End" if place == len(of) - 1 else "Intermediate"
        plain = text.split("|", 2)[1] if text is not None else ""
        values.append({"nature": nature, "plain_data": plain[:_MOST_PLAIN], "signed_data": blob})
    if not values:
        return None
    found: dict[str, Any] = {"encoding_method": encoding[:36], "signed_values": values}
    if of[0].public_key is not None:
        found["public_key"] = of[0].public_key[:512]
    return found


def _token(cdr: Cdr) -> dict[str, Any]:
    uid = (cdr.token.uid or "#NA")[:36]
    return {
        "uid": uid,
        "type": _TOKEN_TYPES.get(cdr.token.type or "", "OTHER"),
        "contract_id": (cdr.token.contract_id or uid)[:36],
    }


def _location(cdr: Cdr, country_code: str, party_code: str) -> dict[str, Any]:
    place = cdr.place
    evse = place.evse_number or 1
    is_dc = place.current_type == "DC"
    found: dict[str, Any] = {
        "id": str(place.location_id or cdr.station_id)[:36],
        "address": (place.address or "#NA")[:45],
        "city": (place.city or "#NA")[:45],
        "country": in_three(place.country)[:3],
        "coordinates": {"latitude": f"{place.latitude or 0:.7f}", "longitude": f"{place.longitude or 0:.7f}"},
        "evse_uid": f"{cdr.station_id[:32]}*{evse}"[:36],
        "evse_id": evse_id(country_code, party_code, cdr.station_id, evse),
        "connector_id": str(place.connector_number or 1),
        "connector_standard": place.connector_standard or ("IEC_62196_T2_COMBO" if is_dc else "IEC_62196_T2"),
        "connector_format": "CABLE" if is_dc else "SOCKET",
        "connector_power_type": _power_type(place),
    }
    more = {"name": place.name[:255], "postal_code": place.postal_code[:10], "state": place.state[:20]}
    return found | {name: value for name, value in more.items() if value}


def evse_id(country_code: str, party_code: str, station_id: str, evse_number: int) -> str:
    """An id in the form of ISO 15118 (eMI3), made of what identifies the outlet here."""
    return f"{country_code}*{party_code}*E{re.sub('[^A-Z0-9]', '', station_id.upper())[:26]}*{evse_number}"


def _power_type(place: CdrPlace) -> str:
    if place.current_type == "DC":
        return "DC"
    return "AC_3_PHASE" if (place.max_power_w or 0) > _ONE_PHASE_W else "AC_1_PHASE"


def _periods(cdr: Cdr) -> list[dict[str, Any]]:
    found = [
        {
            "start_date_time": _instant(one.started_at),
            "dimensions": _dimensions(one),
            "tariff_id": str(cdr.tariff_id),
        }
        for one in cdr.periods
    ]
    if found:
        return found
    whole = ChargingPeriod(cdr.started_at, cdr.ended_at, "charging", cdr.energy_wh)
    return [
        {
            "start_date_time": _instant(cdr.started_at),
            "dimensions": _dimensions(whole),
            "tariff_id": str(cdr.tariff_id),
        }
    ]


def _dimensions(period: ChargingPeriod) -> list[dict[str, Any]]:
    name = "TIME" if period.kind in _CHARGING else "PARKING_TIME"
    found = [{"type": name, "volume": _hours(_seconds(period))}]
    if period.energy_wh:
        found.append({"type": "ENERGY", "volume": _number(period.energy_wh / 1000)})
    return found


def _tariff(cdr: Cdr, country_code: str, party_code: str, tariff: Tariff) -> dict[str, Any]:
    """The object `Tariff`, with what OCPI has words for."""
    found: dict[str, Any] = {
        "country_code": country_code,
        "party_id": party_code,
        "id": str(cdr.tariff_id),
        "currency": tariff.currency,
        "elements": [_element(one) for one in tariff.elements],
        "last_updated": _instant(cdr.started_at),
    }
    if tariff.type is not None:
        found["type"] = tariff.type
    for name, limit in (("min_price", tariff.min_price), ("max_price", tariff.max_price)):
        if limit is not None:
            found[name] = {"excl_vat": _number(limit.before_taxes)}
            if limit.after_taxes is not None:
                found[name]["incl_vat"] = _number(limit.after_taxes)
    return found


def _element(element: TariffElement) -> dict[str, Any]:
    found: dict[str, Any] = {"price_components": [_component(one) for one in element.price_components]}
    if element.restrictions is not None and (said := _restrictions(element.restrictions)):
        found["restrictions"] = said
    return found


def _component(component: PriceComponent) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": component.type,
        "price": _number(component.price),
        "step_size": max(component.step_size, 1),
    }
    if component.taxes:
        found["vat"] = _number(sum((one.percentage for one in component.taxes), Decimal(0)))
    return found


def _restrictions(said: TariffRestrictions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in said.__struct_fields__:
        value = getattr(said, name)
        if value is None or value == []:
            continue
        if isinstance(value, Decimal):
            value = _number(value)
        found[name] = value.isoformat() if hasattr(value, "isoformat") else value
    return found


def _seconds(period: ChargingPeriod) -> float:
    return (period.ended_at - period.started_at).total_seconds()


def _hours(seconds: float) -> Decimal:
    return _number(Decimal(str(seconds)) / _HOUR)


def _number(value: Decimal) -> Decimal:
    """OCPI's numbers have four places at most."""
    return value.quantize(_FOUR, ROUND_HALF_UP).normalize() + Decimal(0)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
