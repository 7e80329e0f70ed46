"""Receipts and invoices as pages: the same sheet that the PDF is drawn from, in the language of whoever it is for."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response

from ohmstead.billing.incoming.online import Paying
from ohmstead.billing.invoices.exchange import electronic
from ohmstead.billing.invoices.model import Invoice
from ohmstead.billing.invoices.paper.sheet import sheet_of
from ohmstead.core.language import speaking
from ohmstead.ui import prices
from ohmstead.ui.templating import page


def page_of(
    request: Request[Any, Any, Any], invoice: Invoice, path: str, paying: Paying | None = None, problem: str = ""
) -> Response[str]:
    """A document's page. `path`: under which its PDF, data and signed readings are (`/pdf`, `/xml`, `/signed`), and where
    it is paid (`/pay`). `problem`: why it could not be.
    """
    with speaking(invoice.content.buyer.language):
        return page(
            request,
            "documents/document.html",
            sheet=sheet_of(invoice),
            path=path,
            paying=paying,
            problem=problem,
            invoice=invoice,
            prices=prices,
            has_data=electronic.fault_of(invoice) is None,
            has_signed=any(line.signatures is not None and line.signatures.n for line in invoice.content.lines),
        )
