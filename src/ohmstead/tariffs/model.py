"""What a tariff says: OCPI's tariff object (2.2.1 and 2.3.0, module tariffs), and what networks need beyond it.

Names and enumerations are OCPI's where OCPI has them. Prices are per kWh, per hour, or once; before taxes unless
`tax_included` is YES. Beyond OCPI: idle fee, cap by day, surcharges and discounts by who pays, prices linked to a market.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Dimension: TypeAlias = Literal["ENERGY", "TIME", "PARKING_TIME", "FLAT"]
TariffType: TypeAlias = Literal["AD_HOC_PAYMENT", "PROFILE_CHEAP", "PROFILE_FAST", "PROFILE_GREEN", "REGULAR"]
TaxIncluded: TypeAlias = Literal["YES", "NO", "N/A"]
DayOfWeek: TypeAlias = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
ReservationKind: TypeAlias = Literal["RESERVATION", "RESERVATION_EXPIRES"]
DAYS: tuple[DayOfWeek, ...] = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")

# "(?!\n)" because "$" alone lets a line end through.
TimeOfDay: TypeAlias = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)", description="On the wall of the location: `13:30`.")
]
Price: TypeAlias = Annotated[Decimal, Meta(description="In the tariff's currency; at most 6 decimals.")]
Kwh: TypeAlias = Annotated[Decimal, Meta(description="kWh; at most 6 decimals.")]
Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
SeriesName: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$(?!\n)", description="A price series of the party.")
]


class TariffTax(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tax on a price. OCPI 2.2.1 has only `vat`, which is one of these named VAT."""

    percentage: Annotated[Decimal, Meta(description="0 to 100.")]
    name: Annotated[str, Meta(min_length=1, max_length=40, description="As it stands on invoices.")] = "VAT"


Taxes: TypeAlias = Annotated[
    list[TariffTax], Meta(max_length=5, description="None means that nothing is taxed, not 0 %.")
]


class MarketLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price that follows a series: price of the interval × factor + adder, held between floor and cap."""

    series: SeriesName
    factor: Annotated[Decimal, Meta(description="1.05: five percent for losses.")] = Decimal(1)
    adder: Annotated[Decimal, Meta(description="Per kWh; may be negative.")] = Decimal(0)
    floor: Annotated[Decimal | None, Meta(description="Never less per kWh. Null: as low as the market.")] = Decimal(0)
    cap: Annotated[Decimal | None, Meta(description="Never more per kWh.")] = None


class PriceComponent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a unit of one dimension costs (OCPI PriceComponent)."""

    type: Dimension
    price: Annotated[
        Decimal, Meta(description="Per kWh, per hour, or once. With `market`: where the series tells no price.")
    ]
    step_size: Annotated[
        int,
        Meta(
            ge=0, description="Billed in blocks of so many Wh or seconds, rounded up once in a session; 0: as measured."
        ),
    ] = 1
    taxes: Taxes = []
    market: MarketLink | None = None


class TariffRestrictions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an element applies: all that is given must hold (OCPI TariffRestrictions). From: inclusive; to: exclusive."""

    start_time: TimeOfDay | None = None
    end_time: Annotated[
        TimeOfDay | None, Meta(description="Earlier than `start_time`: on the next day. 00:00: the end of the day.")
    ] = None
    start_date: date | None = None
    end_date: Annotated[date | None, Meta(description="The first day on which it no longer applies.")] = None
    min_kwh: Annotated[Kwh | None, Meta(description="From this energy of the session on.")] = None
    max_kwh: Annotated[Kwh | None, Meta(description="Up to this energy of the session.")] = None
    min_current: Annotated[Decimal | None, Meta(description="A over all phases, at that moment.")] = None
    max_current: Annotated[Decimal | None, Meta(description="A over all phases, at that moment.")] = None
    min_power: Annotated[Decimal | None, Meta(description="kW at that moment.")] = None
    max_power: Annotated[Decimal | None, Meta(description="kW at that moment.")] = None
    min_duration: Annotated[int, Meta(ge=0, description="Seconds since the session began.")] | None = None
    max_duration: Annotated[int, Meta(ge=0, description="Seconds since the session began.")] | None = None
    day_of_week: Annotated[list[DayOfWeek], Meta(max_length=7, description="None given: every day.")] = []
    reservation: Annotated[
        ReservationKind | None, Meta(description="The element prices a reservation, not a session.")
    ] = None


class TariffElement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices that share restrictions. Of each dimension the first element that applies counts (OCPI TariffElement)."""

    price_components: Annotated[list[PriceComponent], Meta(min_length=1, max_length=4)]
    restrictions: TariffRestrictions | None = None


class PriceLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bound of a session's total; where both are given, both hold (OCPI 2.3.0 PriceLimit)."""

    before_taxes: Price
    after_taxes: Price | None = None


class IdleFee(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a car pays that has charged and stays: AFIR's occupancy fee. Beside PARKING_TIME, not instead of it."""

    price_per_minute: Price
    grace_minutes: Annotated[int, Meta(ge=0, le=1440, description="So much idle time of a session is free.")] = 0
    step_size: Annotated[int, Meta(ge=1, le=3600, description="Billed in blocks of so many seconds.")] = 1
    start_time: Annotated[TimeOfDay | None, Meta(description="Only from here on, on the wall of the location.")] = None
    end_time: Annotated[TimeOfDay | None, Meta(description="Only until here; 00:00: the end of the day.")] = None
    max_amount: Annotated[Decimal | None, Meta(description="At most so much of it in a session.")] = None
    taxes: Taxes = []


class TariffAdjustment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A surcharge (positive) or discount (negative), for everybody or for some. One of the three amounts is given."""

    name: Annotated[str, Meta(min_length=1, max_length=80, description="As the driver reads it.")]
    percent: Annotated[Decimal | None, Meta(description="-100 to 100, of the lines of `dimensions`.")] = None
    per_kwh: Annotated[Decimal | None, Meta(description="For each kWh that was charged for.")] = None
    per_session: Annotated[Decimal | None, Meta(description="Once.")] = None
    dimensions: Annotated[
        list[Literal["ENERGY", "TIME", "PARKING_TIME", "FLAT", "IDLE"]],
        Meta(max_length=5, description="Of `percent`: only these lines. None given: all, reservations too."),
    ] = []
    groups: Annotated[list[Label], Meta(max_length=100, description="Tokens of these groups.")] = []
    plans: Annotated[list[Label], Meta(max_length=100, description="Drivers with one of these plans.")] = []
    coupons: Annotated[list[Label], Meta(max_length=100, description="Whoever brings one of these codes.")] = []
    start_date_time: Annotated[datetime, Meta(tz=True, description="Sessions that begin from here on.")] | None = None
    end_date_time: Annotated[datetime, Meta(tz=True, description="Sessions that begin before.")] | None = None
    taxes: (
        Annotated[
            list[TariffTax], Meta(max_length=5, description="Null: as what it is on. `percent` always is as its lines.")
        ]
        | None
    ) = None


class AltText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word about the tariff in one language (OCPI DisplayText)."""

    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$(?!\n)", max_length=35)]
    text: Annotated[str, Meta(min_length=1, max_length=512)]


class Tariff(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules by which sessions are priced. What is kept of one is never changed: a change makes a new version."""

    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217.")]
    elements: Annotated[list[TariffElement], Meta(min_length=1, max_length=100, description="In order of precedence.")]
    type: Annotated[TariffType | None, Meta(description="For which sessions; null: for all.")] = None
    tax_included: Annotated[
        TaxIncluded, Meta(description="Whether prices have their taxes in them; N/A: nothing is taxed.")
    ] = "NO"
    min_price: PriceLimit | None = None
    max_price: Annotated[PriceLimit | None, Meta(description="The cap of a session.")] = None
    max_per_day: Annotated[
        Decimal | None,
        Meta(description="The cap of each day on the wall of the location, in the tariff's kind of price."),
    ] = None
    idle_fee: IdleFee | None = None
    adjustments: Annotated[list[TariffAdjustment], Meta(max_length=50)] = []
    preauthorize_amount: Annotated[
        Decimal | None, Meta(description="What ad hoc payments hold before the start (OCPI 2.3.0 payments).")
    ] = None
    start_date_time: Annotated[datetime, Meta(tz=True, description="Sessions that begin from here on.")] | None = None
    end_date_time: Annotated[datetime, Meta(tz=True, description="Sessions that begin before.")] | None = None
    tariff_alt_text: Annotated[list[AltText], Meta(max_length=20)] = []
    tariff_alt_url: Annotated[str, Meta(pattern=r"^https://[^\s]{1,240}$(?!\n)")] | None = None
