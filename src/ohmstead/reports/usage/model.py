"""What a report of use consists of. Energies in Wh, spans in s, days and hours on the wall of the location."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.reports.usage.periods import Comparison, Step, UsagePeriod


class Subject(Struct, frozen=True):
    """What a report is about: all that its reader sees of the network, a location, or a station."""

    location_id: UUID | None = None
    station_id: str | None = None


class Totals(Struct, kw_only=True):
    """Sums over sessions that began in a span, and what their plugs did in it."""

    n_sessions: Annotated[int, Meta(description="Sessions that began in it and are over.")] = 0
    energy_wh: Annotated[Decimal, Meta(description="Energy of these sessions, in Wh.")] = Decimal(0)
    duration_s: Annotated[int, Meta(description="Seconds from the start to the end of these sessions, added up.")] = 0
    charging_s: Annotated[int, Meta(description="Seconds in which energy flowed in these sessions.")] = 0
    plug_s: Annotated[
        int, Meta(description="Seconds in which plugs were in use in this span, whenever the session began.")
    ] = 0
    delivered_wh: Annotated[
        Decimal, Meta(description="Energy that flowed in this span, whenever the session began, in Wh.")
    ] = Decimal(0)

    @property
    def mean_duration_s(self) -> float | None:
        return self.duration_s / self.n_sessions if self.n_sessions else None

    @property
    def mean_energy_wh(self) -> float | None:
        return float(self.energy_wh) / self.n_sessions if self.n_sessions else None


class Bar(Struct, kw_only=True):
    """One step of a report's span."""

    begins: Annotated[str, Meta(description="The step's start on the wall: a date, or a date and an hour.")]
    totals: Totals


class Cell(Struct, kw_only=True):
    """An hour of the week, on the mean over the span."""

    weekday: Annotated[int, Meta(description="1 Monday to 7 Sunday.")]
    hour: Annotated[int, Meta(description="0 to 23 on the wall.")]
    mean_plugs: Annotated[float, Meta(description="Plugs in use at once, on the mean.")]
    mean_power_w: Annotated[float, Meta(description="Power, on the mean, in W.")]
    n_sessions: Annotated[int, Meta(description="Sessions that began in such an hour.")]


class Peak(Struct, kw_only=True):
    """One of the busiest hours."""

    hour_at: datetime
    wall_at: Annotated[str, Meta(description="The same on the wall.")]
    mean_plugs: Annotated[float, Meta(description="Plugs in use at once, on the mean over the hour.")]
    mean_power_w: Annotated[float, Meta(description="Power on the mean over the hour, in W.")]


class PlaceRow(Struct, kw_only=True):
    """A location, or a station of the location that the report is about."""

    location_id: UUID | None
    station_id: str | None
    name: str
    totals: Totals
    compared: Totals | None = None


class Usage(Struct, kw_only=True):
    """How much a network, a location or a station was used."""

    period: Annotated[UsagePeriod, Meta(description="What was asked for.")]
    until: Annotated[date, Meta(description="The last day that has come.")]
    compared_with: Annotated[UsagePeriod | None, Meta(description="What it is compared with.")]
    comparison: Comparison
    location_id: UUID | None
    station_id: str | None
    time_zone: Annotated[str, Meta(description="The zone of the location, or the network's.")]
    is_whole: Annotated[
        bool, Meta(description="False while sessions that were settled before reports counted are still being counted.")
    ]
    totals: Totals
    compared: Totals | None
    step: Step
    bars: list[Bar]
    compared_bars: list[Bar]
    week: Annotated[list[Cell], Meta(description="168 hours of the week.")]
    peaks: Annotated[list[Peak], Meta(description="The five busiest hours by plugs, the busiest first.")]
    places: Annotated[
        list[PlaceRow], Meta(description="Locations of the network, or stations of the location; most energy first.")
    ]
