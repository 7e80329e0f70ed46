"""/pay/sandbox: the page on which people pay in the sandbox. It says that no money moves, and asks for no card number."""

from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.billing.payments.hosted import HostedPage, HostedPages
from ohmstead.core.errors import Conflict, NotFound
from ohmstead.core.language import N_
from ohmstead.ui import prices
from ohmstead.ui.templating import page

PATH = "/pay/sandbox"
_Request: TypeAlias = Request[Any, Any, State]
# What is refused comes as a word of the sandbox's.
PROBLEMS = {
    "declined": N_("The bank says no. Choose another card."),
    "insufficient_funds": N_("There is not enough money. Choose another card."),
    "authentication_failed": N_("The bank could not tell that it is you. Choose another card, or try again."),
}
_MOST_FORM_BYTES = 4096


def _pages(request: _Request) -> HostedPages:
    return cast(HostedPages, request.app.state.sandbox)


@get(PATH + "/{ref:str}")
async def sandbox_page(request: _Request, ref: FromPath[str]) -> Response[Any]:
    """Where somebody pays, or stores a card."""
    found = await _pages(request).find(_checked(ref))
    return _answer(request, found)


# Whoever knows the page's name may pay on it: it is not to be guessed, and another site cannot know it.
@post(PATH + "/{ref:str}", opt={"shows_own_secret": True}, request_max_body_size=_MOST_FORM_BYTES)
async def pay_in_sandbox(request: _Request, ref: FromPath[str]) -> Response[Any]:
    """With one of the sandbox's cards; or what the payer tells their bank."""
    form = await request.form()
    pages, proof = _pages(request), form.get("proof")
    try:
        if proof in ("yes", "no"):
            found = await pages.prove(_checked(ref), is_them=proof == "yes")
        else:
            found = await pages.pay(_checked(ref), str(form.get("card", ""))[:40])
    except Conflict:
        found = await pages.find(ref)  # they pressed twice, or another window was faster
    return _answer(request, found, has_acted=True)


def _checked(ref: str) -> str:
    if not ref.isascii() or not ref.startswith(("sbx_", "sbs_")) or len(ref) > 60:
        raise NotFound("no such page")
    return ref


def _answer(request: _Request, found: HostedPage, *, has_acted: bool = False) -> Response[Any]:
    if found.state == "done" and has_acted and _is_address(found.return_url):
        return Redirect(found.return_url, status_code=303)
    problem = PROBLEMS.get(found.problem, found.problem) if found.problem else None
    return page(
        request, "pay/sandbox.html", found=found, prices=prices, problem=problem, back=_is_address(found.return_url)
    )


def _is_address(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https")


HANDLERS = [sandbox_page, pay_in_sandbox]
