"""What documents cost: their contents from CDRs, their EN 16931 data, their PDFs, on one core.

`./ohmstead bench invoices`. Aims: 5 PDFs a second; 10,000 invoices as data within the ten minutes that a month's end has.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from tests.invoices.made_up import breakdown, cdr, document, usual

from bench._figures import console, machine, told
from ohmstead.billing.invoices.exchange import electronic
from ohmstead.billing.invoices.paper import pdf

SESSIONS = 20


def measure(work: Callable[[], Any], n: int) -> float:
    """How many a core-second."""
    work()
    began = time.process_time()
    for _ in range(n):
        work()
    return n / (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=40)
    args = parser.parse_args()
    console.print(told(machine()), highlight=False)
    one = [cdr(breakdown(usual()))]
    month = [cdr(breakdown(usual()), n) for n in range(SESSIONS)]
    for name, cdrs, kind in (("receipt", one, "receipt"), (f"invoice of {SESSIONS} sessions", month, "invoice")):
        made = document(cdrs, kind)  # type: ignore[arg-type]
        contents = measure(lambda cdrs=cdrs, kind=kind: document(cdrs, kind), args.documents * 10)  # type: ignore[misc]
        data = measure(lambda made=made: electronic.xml_of(made, "cii"), args.documents)  # type: ignore[misc]
        papers = measure(lambda made=made: pdf.draw(made), args.documents)  # type: ignore[misc]
        size = len(pdf.draw(made))
        console.print(
            f"{name}: contents {contents:,.0f}/core-s, data {data:,.0f}/core-s, PDF with data {papers:.1f}/core-s,"
            f" {size / 1000:,.0f} kB",
            highlight=False,
        )


if __name__ == "__main__":
    main()
