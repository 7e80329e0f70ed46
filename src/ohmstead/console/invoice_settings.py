"""What do our invoices say of us, and how are they numbered?"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.billing.invoices import sellers
from ohmstead.billing.invoices.model import Seller
from ohmstead.billing.invoices.numbering import FORMATS
from ohmstead.billing.invoices.paper.words import TITLES
from ohmstead.console.forms import Form, form_of
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, allow, opened
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.language import N_, told
from ohmstead.core.validation import fault_of, in_words
from ohmstead.sessions.signed import service as signed
from ohmstead.sessions.signed.model import Doubt, SignedPolicy
from ohmstead.ui.templating import page

PLACE: Final = "/settings/invoices"
_DANGEROUS: Final[dict[str, Any]] = {"needs_proof": True}
_PLAIN: Final = ("legal_name", "trade_name", "vat_id", "tax_number", "registration", "contact", "email", "phone",
                 "website", "footer", "no_tax_reason")  # fmt: skip
_ADDRESS: Final = ("postal_code", "city", "state", "country")
_BANK: Final = ("holder", "iban", "bic")
FIELDS: Final = (*_PLAIN, "line1", "line2", *_ADDRESS, *_BANK, "bank_name", "payment_days", "vat_ids")
# Where a fault in a part of the data is shown in the form.
_SHOWN_AT: Final = {"lines": "line1", "name": "bank_name"}
# What an invoice must say, in words.
WANTED: Final = {
    "legal_name": N_("the legal name"),
    "address": N_("street and town"),
    "country": N_("the country"),
    "vat_id": N_("a VAT id or a tax number"),
}
# Which sessions signatures keep from being billed by themselves, in words.
DOUBTS: Final[dict[Doubt, str]] = {
    "never": N_("None: what meters sign is kept and shown"),
    "failed": N_("Those whose signed readings do not stand the check"),
    "missing": N_("Those as well that lack readings that do, where a person pinned the meter’s key"),
}


@get(PLACE)
async def invoice_settings(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Who we are on documents, and how each kind is numbered."""
    return await _shown(request, pool, actor)


@post(PLACE, opt=_DANGEROUS, status_code=200)
async def change_seller(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Say who we are from now on; two who change at once see both versions."""
    allow(actor, "billing:write")
    form = await form_of(request)
    try:
        seller = msgspec.convert(_seller_of(form), Seller, strict=False)
        async with pool.acquire() as conn, conn.transaction():
            await sellers.set_seller(conn, actor, seller, form.version)
    except Conflict as error:
        return await _shown(request, pool, actor, {"stale": told(error)}, form.fields)
    except (msgspec.ValidationError, Invalid) as error:
        return await _shown(request, pool, actor, _faults(error), form.fields)
    return Redirect(f"{PLACE}?saved=1", status_code=303)


@post(f"{PLACE}/numbers", opt=_DANGEROUS, status_code=200)
async def change_numbers(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Number documents so from now on."""
    allow(actor, "billing:write")
    form = await form_of(request)
    kind = None
    try:
        async with pool.acquire() as conn, conn.transaction():
            before = {one.kind: one.format for one in await sellers.list_ranges(conn, actor.party_id)}
            for kind in FORMATS:
                wanted = form.fields.get(f"format_{kind}", "")
                if wanted and wanted != before[kind]:
                    await sellers.set_format(conn, actor, kind, wanted)
    except Invalid as error:
        return await _shown(request, pool, actor, {f"format_{kind}": told(error)}, numbers=form.fields)
    return Redirect(f"{PLACE}?saved=1", status_code=303)


@post(f"{PLACE}/signed", opt=_DANGEROUS, status_code=200)
async def change_signed(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Which sessions wait for a person for what their meter signed, or did not; from now on."""
    allow(actor, "billing:write")
    form = await form_of(request)
    try:
        wanted = msgspec.convert({"doubt": form.fields.get("doubt", "")}, SignedPolicy)
    except msgspec.ValidationError as error:
        return await _shown(request, pool, actor, {"doubt": in_words(fault_of(error)[1])})
    async with pool.acquire() as conn, conn.transaction():
        await signed.set_policy(conn, actor, wanted.doubt)
    return Redirect(f"{PLACE}?saved=1#signed", status_code=303)


async def _shown(
    request: PageRequest,
    pool: PoolIn,
    actor: Actor,
    errors: dict[str, str] | None = None,
    given: dict[str, str] | None = None,
    numbers: dict[str, str] | None = None,
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        found = await sellers.get_seller(conn, actor.party_id)
        ranges = await sellers.list_ranges(conn, actor.party_id)
        policy = await signed.get_policy(conn, actor.party_id)
    return page(
        request,
        "console/invoice_settings.html",
        status=422 if errors else 200,
        found=found,
        given=dict.fromkeys(FIELDS, "") | given if given is not None else _fields_of(found.seller),
        errors=errors or {},
        ranges=ranges,
        numbers=numbers or {},
        titles=TITLES,
        wanted=WANTED,
        policy=policy,
        doubts=DOUBTS,
    )


def _fields_of(seller: Seller) -> dict[str, str]:
    """The data as the form has them."""
    lines = [*seller.address.lines, "", ""]
    return {
        **{name: getattr(seller, name) for name in _PLAIN},
        **{name: getattr(seller.address, name) for name in _ADDRESS},
        **{name: getattr(seller.bank, name) for name in _BANK},
        "bank_name": seller.bank.name,
        "line1": lines[0],
        "line2": lines[1],
        "payment_days": str(seller.payment_days),
        "vat_ids": "\n".join(f"{country} {vat_id}" for country, vat_id in sorted(seller.vat_ids.items())),
        "makes_statements": "yes" if seller.makes_statements else "",
    }


def _seller_of(form: Form) -> dict[str, Any]:
    given = form.fields
    upper = ("vat_id", "country", "iban", "bic")
    values = {name: _plain(given.get(name, ""), name in upper) for name in FIELDS}
    vat_ids: dict[str, str] = {}
    for row in given.get("vat_ids", "").splitlines():
        country, _blank, vat_id = row.strip().upper().partition(" ")
        if country:
            vat_ids[country] = vat_id.replace(" ", "")
    return {
        **{name: values[name] for name in _PLAIN},
        "address": {
            "lines": [line for line in (values["line1"], values["line2"]) if line],
            **{name: values[name] for name in _ADDRESS},
        },
        "bank": {**{name: values[name] for name in _BANK}, "name": values["bank_name"]},
        "vat_ids": vat_ids,
        "payment_days": values["payment_days"] or "14",
        "makes_statements": given.get("makes_statements") == "yes",
    }


def _plain(text: str, is_code: bool) -> str:
    """Codes are written without blanks, in capitals."""
    return "".join(text.split()).upper() if is_code else text


def _faults(error: msgspec.ValidationError | Invalid) -> dict[str, str]:
    """What is wrong at which of the form's fields: `bank.iban` stands at `iban`."""
    name, text = (error.field, told(error)) if isinstance(error, Invalid) else fault_of(error)
    text = text if isinstance(error, Invalid) else in_words(text)
    if name.startswith("vat_ids"):
        return {"vat_ids": text}
    parts = [part.partition("[")[0] for part in name.split(".")]
    field = next((known for part in reversed(parts) if (known := _SHOWN_AT.get(part, part)) in FIELDS), "legal_name")
    return {field: text}


HANDLERS: list[Any] = [invoice_settings, change_seller, change_numbers, change_signed]
