"""What a simulated world is made of: stations, outlets, tokens and the visits of cars."""

from datetime import datetime

from msgspec import Struct

from ohmstead.simulator.car import Car

VERSIONS = ("1.6", "2.0.1", "2.1")


class EvsePlan(Struct, frozen=True):
    """One outlet. 1.6 knows it as connector `number`, 2.x as EVSE `number` with connector 1."""

    number: int
    is_dc: bool = False
    max_power_w: int = 11_000
    phases: int = 3
    standard: str = "IEC_62196_T2"


class StationPlan(Struct, frozen=True):
    """One charging station as it was built and where it stands."""

    station_id: str
    version: str
    evses: tuple[EvsePlan, ...] = (EvsePlan(1),)
    location: str = ""
    kind: str = "street"
    name: str = ""
    city: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    vendor: str = "Ohmstead"
    model: str = "Sim AC"
    serial_number: str = ""
    firmware_version: str = "1.4.2"
    tx_start_point: str = "Authorized"


class Token(Struct, frozen=True):
    """A card or another means to start. `type` is spelled as 2.x spells it."""

    uid: str
    type: str = "ISO14443"
    group_uid: str | None = None


class Visit(Struct):
    """A car comes, stays and leaves. `arrives_at` and `stay_s` are natural: a faster world shortens them itself.

    `is_card_first`: the driver shows the card before plugging in. `leaves_by_card`: ends the session with the card,
    the others pull the plug. `is_underway`: was plugged in before the simulation began.
    """

    arrives_at: datetime
    stay_s: float
    car: Car
    token: Token | None
    is_card_first: bool = False
    leaves_by_card: bool = False
    is_underway: bool = False
    remote_start_id: int | None = None
    is_remote: bool = False
