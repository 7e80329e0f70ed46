"""What an outlet can be told, and what can befall it."""

from datetime import datetime

from msgspec import Struct

from ohmstead.simulator.plan import Token
from ohmstead.simulator.profiles import Profile


class StopOrder(Struct, frozen=True):
    """Why a transaction ends: `trigger` and `reason` in 2.x's words. `pulls_plug`: the car leaves at once."""

    trigger: str
    reason: str
    token: Token | None = None
    pulls_plug: bool = False
    leaves_soon: bool = True


class RemoteOrder(Struct, frozen=True):
    """A remote start that the station has accepted."""

    token: Token
    remote_start_id: int | None = None
    profile: Profile | None = None


class Reservation(Struct, frozen=True):
    """The outlet is kept for a token until then."""

    reservation_id: int
    token_uid: str
    group_uid: str | None
    until: datetime


class Fault(Struct, frozen=True):
    """What is broken: the 1.6 error code, and the reason a transaction ends for it in 2.x's words."""

    error_code: str
    reason: str
    info: str
