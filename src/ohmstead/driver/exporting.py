"""All that is known of a driver, to take along: JSON as a whole, CSV for spreadsheets, in a ZIP."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from typing import Any

import msgspec

from ohmstead.billing.payments import service as payments
from ohmstead.billing.plans import queries as plans
from ohmstead.billing.wallets import queries as entries
from ohmstead.billing.wallets import service as wallets
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.drivers import queries as drivers
from ohmstead.drivers.garage import queries as garage
from ohmstead.drivers.signin import queries as signin
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.notifications import queries as notices
from ohmstead.notifications import service as notifications
from ohmstead.reports.driving import queries
from ohmstead.sessions.covers import service as covers
from ohmstead.tokens import queries as tokens
from ohmstead.tokens.queries import TokenFilter
from ohmstead.tokens.register.service import told_uid

MOST = 50_000
# What begins so is a formula to spreadsheets.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


async def gather(conn: Connection, who: SignedInDriver) -> dict[str, Any]:
    """By name of the part: a struct, or a list of them."""
    party_id, driver_id = who.party_id, who.driver_id
    return {
        "driver": await drivers.get_driver(conn, party_id, driver_id),
        "sessions": await queries.list_history(conn, party_id, driver_id, limit=MOST),
        # A PIN is told once, to whom it was made for; this may be somebody who holds their telephone for a moment.
        "cards": [
            msgspec.structs.replace(one, uid=told_uid(one.uid, one.type))
            for one in await tokens.list_tokens(conn, party_id, TokenFilter(driver=driver_id), limit=1000)
        ],
        "cars": await garage.list_cars(conn, party_id, driver_id),
        "passkeys": await signin.list_passkeys(conn, party_id, driver_id),
        "browsers": await signin.list_browsers(conn, party_id, driver_id),
        "wallet": await wallets.find_wallet(conn, party_id, driver_id),
        "wallet_entries": await entries.list_entries(conn, party_id, driver_id, limit=MOST),
        "stored_cards": await payments.list_methods(conn, party_id, driver_id),
        "plans": await plans.list_subscriptions(conn, party_id, driver_id=driver_id),
        "favourites": await notices.list_followed(conn, party_id, driver_id),
        "alerts": await notifications.get_preferences(conn, party_id, driver_id),
        "price_limit": await covers.get_price_limit(conn, party_id, driver_id),
        "watches": await notices.list_watches(conn, party_id, driver_id, clock.now()),
    }


def packed(known: dict[str, Any]) -> bytes:
    """`data.json` with everything, and a table for each part that is a list."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", msgspec.json.format(msgspec.json.encode(known), indent=2))
        for name, part in known.items():
            if isinstance(part, list):
                archive.writestr(f"{name}.csv", _table(part))
    return out.getvalue()


def _table(rows: Sequence[Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    plain = [msgspec.to_builtins(row) for row in rows]
    if plain:
        names = list(plain[0])
        writer.writerow(names)
        writer.writerows([_cell(row[name]) for name in names] for row in plain)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{told}" if isinstance(value, str) and told.startswith(_FORMULAS) else told
