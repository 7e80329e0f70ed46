"""What is set up, read off the settings and off what was made here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.accounts.people import provisioning
from ohmstead.accounts.providers.model import Provider
from ohmstead.accounts.scope import Scope
from ohmstead.accounts.signin.passkeys import relying_party
from ohmstead.core.db import Connection
from ohmstead.core.language import N_
from ohmstead.reports.installation import queries
from ohmstead.reports.installation.model import (
    DirectoryState,
    Integration,
    Integrations,
    Kept,
    KnownQuirk,
    ProviderView,
    Retention,
    SignInWays,
    VendorMessages,
)
from ohmstead.settings import PREFIX, Settings
from ohmstead.stations import vendors
from ohmstead.stations.quirks import profiles
from ohmstead.stations.quirks.book import QuirkBook

_PROVISION: Final = "people:provision"
_VENDORS: Final = {
    vendors.PLUG_AND_CHARGE: N_("Plug & Charge on OCPP 1.6"),
    vendors.COST_MESSAGES: N_("Prices and costs on the station’s display"),
}
# What is kept, the setting that says how long, and what is to be known about it.
_BY_SETTING: Final = (
    (N_("OCPP messages"), "message_retention_days", N_("Every call and answer; events for programs too.")),
    (N_("Meter samples"), "sample_retention_days", N_("Sessions keep their energy without them.")),
    (
        N_("History of states"),
        "status_retention_days",
        N_("Of outlets, connections and variables, and what stations reported of themselves."),
    ),
    (N_("What stations reported, word for word"), "record_retention_days", N_("What was learnt from it stays.")),
    (N_("Logs of stations"), "log_retention_days", N_("Diagnostics and security logs that stations sent.")),
    (N_("Attempts to sign in"), "sign_in_retention_days", N_("Who came in and who was refused.")),
    (N_("Security signals"), "signal_retention_days", N_("Who was turned away, and what stations told.")),
)
_ALWAYS: Final = (
    (N_("Requests to webhooks"), 30, N_("What was sent, and what the receiver said.")),
    (
        N_("Browsers that are signed in"),
        accounts.SESSION_LONGEST_S // 86400,
        N_("At the longest; one that is not used for a week is signed out."),
    ),
    (N_("Sessions and reports"), None, N_("A driver can be erased: sessions stay, and are nobody’s then.")),
    (N_("Audit log"), None, N_("Each entry is linked to the one before, so none can go.")),
)


async def sign_in_ways(
    conn: Connection, actor: Actor, settings: Settings, providers: Iterable[Provider], now: datetime
) -> SignInWays:
    """How people of the actor's party come in; of all parties' for the one that runs the installation."""
    party = relying_party(settings.console_url)
    found = []
    for one in providers:
        if actor.owns_installation or await provisioning.find_party_by_code(conn, one.party) == actor.party_id:
            found.append(_provider(one))
    return SignInWays(
        console_url=settings.console_url,
        passkey_origin=party.origin,
        passkey_domain=party.rp_id,
        asks_breach_list=settings.breach_list_url is not None,
        providers=found,
        directory=await _directory(conn, actor, settings, now),
    )


async def _directory(conn: Connection, actor: Actor, settings: Settings, now: datetime) -> DirectoryState:
    keys = [key for key in await accounts.list_api_keys(conn, actor.party_id) if _PROVISION in key.scopes]
    good = [key for key in keys if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)]
    used = sorted((key.last_used_at, key.last_used_from) for key in keys if key.last_used_at is not None)
    last_at, last_from = used[-1] if used else (None, None)
    return DirectoryState(
        address=f"{settings.console_url}/scim/v2",
        is_on=bool(good),
        n_keys=len(good),
        last_used_at=last_at,
        last_used_from=last_from,
    )


def _provider(one: Provider) -> ProviderView:
    names = (name for name in ProviderView.__struct_fields__)
    return ProviderView(**{name: getattr(one, name) for name in names})


def integrations(actor: Actor, settings: Settings) -> Integrations:
    """What is configured. Where it is, only who runs the installation is told."""
    s = settings
    rows: tuple[tuple[str, str, tuple[str, ...], tuple[str | None, ...]], ...] = (
        (
            N_("Plug & Charge pool"),
            N_("Contracts for cars are fetched from it."),
            ("pnc_pool_url", "pnc_pool_token"),
            (s.pnc_pool_url,),
        ),
        (N_("OCSP"), N_("Asked whether contract certificates are good."), ("ocsp_hosts",), s.ocsp_hosts),
        (
            N_("Revocation lists"),
            N_("Of other authorities, fetched where certificates name them."),
            ("crl_hosts", "crl_failure"),
            s.crl_hosts,
        ),
        (
            N_("Authority for stations"),
            N_("Signs stations’ certificates instead of our own, by EST."),
            ("est_url", "est_user", "est_password", "est_ca"),
            (s.est_url,),
        ),
        (
            N_("Authority for vehicles"),
            N_("Signs V2G certificates instead of our own, by EST."),
            ("est_vehicle_url", "est_user", "est_password", "est_ca"),
            (s.est_vehicle_url,),
        ),
        (
            N_("Register of VAT numbers"),
            N_("Confirms the numbers that drivers give at a terminal."),
            ("vat_register_url",),
            (s.vat_register_url,),
        ),
        (
            N_("List of public passwords"),
            N_("Nobody may choose one that became public."),
            ("breach_list_url",),
            (s.breach_list_url,),
        ),
        (N_("Map tiles"), N_("The background of maps."), ("tile_url",), (s.tile_url,)),
        (
            N_("Bucket for files"),
            N_("Firmware and logs are kept there, not on this machine."),
            ("files_bucket_url",),
            (s.files_bucket_url,),
        ),
        (N_("Traces"), N_("A collector is told how long things take."), ("otlp_endpoint",), (s.otlp_endpoint,)),
    )
    items = [
        Integration(
            name=name,
            meaning=meaning,
            is_on=any(given),
            settings=[PREFIX + one.upper() for one in names],
            where=[_place(one) for one in given if one] if actor.owns_installation else [],
        )
        for name, meaning, names, given in rows
    ]
    return Integrations(items=items, vendors=_vendors())


def _place(address: str) -> str:
    """An address without what stands before the host, or behind the path: both may be secret."""
    parts = urlsplit(address)
    if not parts.scheme or parts.hostname is None:
        return address
    port = f":{parts.port}" if parts.port else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _vendors() -> list[VendorMessages]:
    known = sorted(vendors.TO_STATION.keys() | vendors.FROM_STATION.keys())
    return [
        VendorMessages(
            vendor_id=one,
            meaning=_VENDORS[one],
            to_station=sorted(vendors.TO_STATION.get(one, ())),
            from_station=sorted(vendors.FROM_STATION.get(one, ())),
        )
        for one in known
    ]


def retention(settings: Settings) -> Retention:
    """What is kept how long."""
    by_setting = [
        Kept(what=what, days=getattr(settings, name), setting=PREFIX + name.upper(), note=note)
        for what, name, note in _BY_SETTING
    ]
    return Retention(
        [*by_setting, *(Kept(what=what, days=days, setting=None, note=note) for what, days, note in _ALWAYS)]
    )


async def known_quirks(conn: Connection, scope: Scope, book: QuirkBook) -> list[KnownQuirk]:
    """All in force, in the order in which they count, each with how many stations it fits."""
    makes = await queries.list_makes(conn, scope)
    found = []
    for profile, is_own in book.known():
        n = sum(
            row["n"]
            for row in makes
            if profiles.fits(
                profile,
                vendor=row["vendor"],
                model=row["model"],
                firmware=row["firmware_version"],
                version=row["ocpp_version"],
            )
        )
        found.append(
            KnownQuirk(
                name=profile.name,
                match=profile.match,
                because=profile.because,
                source=profile.source,
                effects=profile.effects,
                is_own=is_own,
                n_stations=n,
            )
        )
    return found
