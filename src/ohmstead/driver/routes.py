"""Every page for drivers, on one screen."""

from __future__ import annotations

from litestar import Router

from ohmstead.doorway import DRIVE_PATH
from ohmstead.driver import alerts, cards, charge, door, home, installing, me, money, paying, phone, places, plug
from ohmstead.driver.frame import guard_site

router = Router(
    path=DRIVE_PATH,
    guards=[guard_site],
    route_handlers=[
        *places.HANDLERS,
        *plug.HANDLERS,
        *charge.HANDLERS,
        *paying.HANDLERS,
        *door.HANDLERS,
        *installing.HANDLERS,
        *home.HANDLERS,
        *me.HANDLERS,
        *phone.HANDLERS,
        *money.HANDLERS,
        *cards.HANDLERS,
        *alerts.HANDLERS,
    ],
)
