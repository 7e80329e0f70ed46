"""The outside world is asked carefully: named hosts only, no redirects, in time, and not without end."""

from collections.abc import AsyncIterator

import pytest

from ohmstead.adapters.ocsp.adapter import HttpResponders
from ohmstead.adapters.pnc.adapter import HttpPool
from ohmstead.adapters.pnc.settings import PoolSettings
from ohmstead.core.errors import ExternalFailure
from ohmstead.stations.certificates.ports import EvCertificateRequest
from tests.contracts.outside import Behaving, listening

ASKED = EvCertificateRequest(
    schema_version="urn:iso:15118:2:2013:MsgDef", action="Install", exi_request="gJgC", most_chains=2, emaids=("A", "B")
)


@pytest.fixture
async def responder() -> AsyncIterator[tuple[Behaving, str]]:
    server = Behaving(lambda body: b"answer to " + body, "application/ocsp-response")
    async with listening(server.handle) as url:
        yield server, url


async def test_a_named_responder_is_asked(responder: tuple[Behaving, str]) -> None:
    server, url = responder
    found = HttpResponders([url.removeprefix("http://")])
    assert await found.ask(f"{url}/ocsp", b"question") == b"answer to question"
    assert server.headers["Content-Type"] == "application/ocsp-request"


@pytest.mark.parametrize("how", ["hangs", "redirects", "endless", "500"])
async def test_a_responder_that_does_not_behave_is_left(responder: tuple[Behaving, str], how: str) -> None:
    server, url = responder
    server.how = how
    with pytest.raises(ExternalFailure):
        await HttpResponders([url.removeprefix("http://")], deadline_s=0.3).ask(f"{url}/ocsp", b"question")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:5432/",
        "http://ocsp.example.evil.test/",
        "http://evil.test/ocsp.example",
        "http://ocsp.example:8080/",
        "http://ocsp.example@evil.test/",
        "http://evil.test@ocsp.example/",
        "http://ocsp.example\\@evil.test/",
        "https://ocsp.example:80/",
        "ftp://ocsp.example/",
        "file:///etc/passwd",
        "gopher://ocsp.example/",
        "//ocsp.example/",
        "http://ocsp.example:abc/",
        "http://ocsp․example/",
        "http://[::1]/",
        "",
    ],
)
def test_nobody_else_is_ever_asked(url: str) -> None:
    responders = HttpResponders(["ocsp.example"])
    with pytest.raises(ExternalFailure) as refused:
        responders.check(url)
    assert refused.value.permanent


@pytest.mark.parametrize("url", ["http://ocsp.example/a?b=c", "https://OCSP.Example/", "http://ocsp.example:80/"])
def test_a_named_host_is_asked_at_its_usual_ports(url: str) -> None:
    HttpResponders(["ocsp.example"]).check(url)


def test_without_a_list_nobody_is_asked() -> None:
    with pytest.raises(ExternalFailure, match="OHMSTEAD_OCSP_HOSTS"):
        HttpResponders([]).check("http://ocsp.example/")


async def test_the_pool_is_passed_on_what_the_car_said_and_its_answer_comes_back_unread() -> None:
    server = Behaving(lambda _: b'{"certificateInstallationRes": "gJhC", "remainingContracts": 1}', "application/json")
    async with listening(server.handle) as url:
        pool = HttpPool(PoolSettings(url=f"{url}/v1/ccp/signedContractData", token="t"))
        found = await pool.fetch(ASKED)
        assert (found.exi_response, found.remaining_contracts) == ("gJhC", 1)
    assert b'"certificateInstallationReq":"gJgC"' in server.asked[0][1]
    assert server.headers["Authorization"] == "Bearer t"


@pytest.mark.parametrize("how", ["hangs", "redirects", "endless", "404", "503", "junk"])
async def test_a_pool_that_does_not_behave_is_left(how: str) -> None:
    server = Behaving(lambda _: b"{}", "application/json")
    server.how = how
    async with listening(server.handle) as url:
        with pytest.raises(ExternalFailure):
            await HttpPool(PoolSettings(url=url, deadline_s=0.3)).fetch(ASKED)
