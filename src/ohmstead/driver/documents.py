"""/documents: what was bought and what it cost, and paying it, for whoever was sent the link. Nobody signs in.

A link is as good as a password: it stands in no log, and pages say that nobody may list or keep it.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any, Final
from uuid import UUID

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.billing.incoming import online
from ohmstead.billing.invoices import queries, service
from ohmstead.billing.invoices.exchange import electronic
from ohmstead.billing.invoices.links import PATH, document_of
from ohmstead.billing.invoices.model import Invoice, Syntax
from ohmstead.core import clock
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, Refused
from ohmstead.doorway import WITHIN
from ohmstead.sessions.signed import service as signed
from ohmstead.ui.documents import page_of

_Request = Request[Any, Any, State]
GONE: Final = "this link leads to nothing"
HEADERS: Final = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
_SUFFIXES: Final = {"OCMF": "ocmf"}


@get("/documents/{token:str}", opt=WITHIN)
async def document(request: _Request, token: FromPath[str]) -> Response[str]:
    """A document as a page, with its PDF, data and signed readings to download."""
    found = await _found(request, token)
    return await _page(request, found, token)


@get("/documents/{token:str}/pay", opt=WITHIN)
async def pay_document(request: _Request, token: FromPath[str]) -> Response[Any]:
    """To the provider's page, where what is open of an invoice is paid."""
    found = await _found(request, token)
    if found.kind != "invoice":
        raise NotFound(GONE)
    settings, state = request.app.state.settings, request.app.state
    address = f"{settings.console_url}{PATH}{token}?back={{payment_id}}"
    try:
        begun = await online.begin(state.pool, state.payment_providers, found, address)
    except (Conflict, Refused, Invalid, ExternalFailure) as error:
        return await _page(request, found, token, problem=error.text)
    answer = Redirect(begun.url, status_code=303)
    answer.headers.update(HEADERS)
    return answer


async def _page(request: _Request, found: Invoice, token: str, problem: str = "") -> Response[str]:
    state = request.app.state
    paying = await online.look(state.pool, state.payment_providers, found, _back(request))
    answer = page_of(request, found, f"{PATH}{token}", paying, problem)
    if problem:
        answer.status_code = 409
    answer.headers.update(HEADERS)
    return answer


def _back(request: _Request) -> UUID | None:
    try:
        return UUID(request.query_params.get("back", ""))
    except ValueError:
        return None


@get("/documents/{token:str}/pdf", opt=WITHIN)
async def document_pdf(request: _Request, token: FromPath[str]) -> Response[bytes]:
    """The same as PDF/A-3."""
    found = await _found(request, token)
    return _file(await service.drawn(found), "application/pdf", f"{found.number}.pdf")


@get("/documents/{token:str}/xml", opt=WITHIN)
async def document_xml(request: _Request, token: FromPath[str]) -> Response[bytes]:
    """Its EN 16931 data; `?syntax=ubl` as UBL."""
    found = await _found(request, token)
    if electronic.fault_of(found) is not None:
        raise NotFound(GONE)
    syntax: Syntax = "ubl" if request.query_params.get("syntax") == "ubl" else "cii"
    return _file(service.written(found, syntax), "application/xml", f"{found.number}.xml")


@get("/documents/{token:str}/signed", opt=WITHIN)
async def document_signed(request: _Request, token: FromPath[str]) -> Response[bytes]:
    """What the meter signed, byte for byte, with the keys that it was checked with: a ZIP, a folder for each session."""
    found = await _found(request, token)
    packed = io.BytesIO()
    n = 0
    async with request.app.state.pool.acquire() as conn:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for line in found.content.lines:
                if line.session_id is None or line.signatures is None:
                    continue
                for k, one in enumerate(await signed.readings_of(conn, found.party_id, line.session_id), start=1):
                    name = f"{line.session_id}/{k:02}.{_SUFFIXES.get(one.format, 'bin')}"
                    archive.writestr(name, one.raw)
                    archive.writestr(f"{name}.key.txt", f"{one.public_key or ''}\n")
                    n += 1
    if not n:
        raise NotFound(GONE)
    return _file(packed.getvalue(), "application/zip", f"{found.number}-signed.zip")


async def _found(request: _Request, token: str) -> Invoice:
    """The document that a token opens. Raises NotFound, whatever is wrong with it."""
    invoice_id = document_of(request.app.state.settings.secret(), token, clock.now())
    if invoice_id is None:
        raise NotFound(GONE)
    async with request.app.state.pool.acquire() as conn:
        return await queries.get_by_link(conn, invoice_id)


def _file(data: bytes, media: str, name: str) -> Response[bytes]:
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{safe}"'}
    return Response(data, media_type=media, headers=headers)


HANDLERS = [document, pay_document, document_pdf, document_xml, document_signed]
