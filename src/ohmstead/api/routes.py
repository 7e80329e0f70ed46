"""Every operation of the API, on one screen."""

from litestar import Router
from litestar.datastructures import State
from litestar.di import Provide

from ohmstead.api import (
    activity,
    asking,
    audit,
    bank_lines,
    billing,
    bulk,
    certificates,
    commands,
    companies,
    concerns,
    device,
    drivers,
    events,
    files,
    firmware,
    hosts,
    installation,
    invoice_runs,
    invoices,
    keys,
    ledger,
    lists,
    locations,
    messages,
    notifications,
    parties,
    paying,
    payments,
    people,
    plans,
    price_limits,
    profiles,
    reference,
    reports,
    reservations,
    safe_limits,
    search,
    security,
    sessions,
    signed,
    sites,
    stations,
    tariffs,
    templates,
    tokens,
    wallets,
    web_payments,
    webhooks,
)
from ohmstead.api.idempotency import Idempotency
from ohmstead.api.operations import given_body, given_filters, guard_operation
from ohmstead.core.live import LiveNews
from ohmstead.doorway import WITHIN

PREFIX = "/api/v1"
RESOURCES = {
    "Locations": [*locations.HANDLERS, *sites.HANDLERS],
    "Stations": stations.HANDLERS,
    "Concerns": concerns.HANDLERS,
    "Certificates": certificates.HANDLERS,
    "Device": device.HANDLERS,
    "Templates": templates.HANDLERS,
    "Commands": [*commands.HANDLERS, *bulk.HANDLERS],
    "Firmware": firmware.HANDLERS,
    "Logs": files.HANDLERS,
    "Messages": messages.HANDLERS,
    "Sessions": [*sessions.HANDLERS, *signed.HANDLERS],
    "Payments": [*payments.HANDLERS, *web_payments.HANDLERS],
    "Tariffs": tariffs.HANDLERS,
    "Billing": [*billing.HANDLERS, *ledger.HANDLERS],
    "Invoices": [*invoices.HANDLERS, *invoice_runs.HANDLERS, *hosts.HANDLERS, *bank_lines.HANDLERS],
    "Tokens": tokens.HANDLERS,
    "Drivers": [*drivers.HANDLERS, *price_limits.HANDLERS],
    "Paying": [*paying.HANDLERS, *wallets.HANDLERS, *asking.HANDLERS, *plans.HANDLERS, *companies.HANDLERS],
    "Reservations": reservations.HANDLERS,
    "Charging profiles": [*profiles.HANDLERS, *safe_limits.HANDLERS],
    "Reports": reports.HANDLERS,
    "Search and lists": [*search.HANDLERS, *lists.HANDLERS, *activity.HANDLERS],
    "Events": events.HANDLERS,
    "Webhooks": webhooks.HANDLERS,
    "Notifications": notifications.HANDLERS,
    "Access": [*keys.HANDLERS, *audit.HANDLERS],
    "Security": security.HANDLERS,
    "Installation": installation.HANDLERS,
    "People": people.HANDLERS,
    "Parties": parties.HANDLERS,
}


def _news(state: State) -> LiveNews:
    news: LiveNews = state.live_news
    return news


router = Router(
    path=PREFIX,
    route_handlers=[
        *(handler for handlers in RESOURCES.values() for handler in handlers),
        # About the API itself: everybody's.
        Router(path="/", route_handlers=reference.HANDLERS, opt=WITHIN),
    ],
    dependencies={
        "given": Provide(given_body),
        "filters": Provide(given_filters, sync_to_thread=False),
        "news": Provide(_news, sync_to_thread=False),
    },
    guards=[guard_operation],
    middleware=[Idempotency()],
)
