"""Revocation lists of other authorities: fetched from named hosts, believed when signed and current, kept until the next."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ohmstead.adapters.crl.adapter import HttpLists
from ohmstead.core.db import Pool
from ohmstead.stations.certificates.ocsp import Verdict
from ohmstead.stations.certificates.revocation.crls import points_of
from ohmstead.stations.certificates.revocation.service import OutsideLists
from tests.contracts.outside import Behaving, listening
from tests.security.pki import DAY, Authority, Issued


@dataclass
class Point:
    """An authority and its distribution point."""

    pool: Pool
    server: Behaving
    url: str
    authority: Authority
    host: str
    lists: OutsideLists = field(init=False)

    def __post_init__(self) -> None:
        self.forgets()

    def forgets(self, *hosts: str) -> None:
        """As another gateway, which remembers nothing."""
        self.lists = OutsideLists(self.pool, HttpLists(hosts or (self.host,), deadline_s=0.4, most_bytes=100_000))

    async def state(self, one: Issued, urls: tuple[str, ...] | None = None) -> Verdict:
        wanted = points_of(one.certificate) if urls is None else urls
        return await self.lists.state(one.certificate.serial_number, self.authority.certificate, wanted)

    async def is_due(self) -> None:
        """The next list is due."""
        await self.pool.execute("update outside_crl set next_update = now(), failed_at = null")
        self.forgets()


@pytest.fixture
async def point(db: Pool) -> AsyncIterator[Point]:
    authority = Authority("Theirs")
    server = Behaving(lambda _: authority.revocations(), "application/pkix-crl")
    async with listening(server.handle) as url:
        authority.point = f"{url}/theirs.crl"
        yield Point(db, server, authority.point, authority, url.removeprefix("http://"))


async def test_a_list_is_fetched_once_and_kept_until_the_next_is_due(point: Point) -> None:
    good, bad = point.authority.client("A"), point.authority.client("B")
    point.server.answer = lambda _: point.authority.revocations(bad)
    assert (await point.state(good)).state == "good"
    assert (await point.state(bad)).state == "revoked"
    # Whoever else asks finds it in the database; nobody needs the server.
    point.server.how = "hangs"
    point.forgets()
    assert (await point.state(bad)).state == "revoked"
    assert [path for path, _ in point.server.asked] == ["/theirs.crl"]
    point.server.how = "well"
    await point.is_due()
    point.server.answer = lambda _: point.authority.revocations(good, made=-DAY)
    assert (await point.state(good)).state == "revoked"
    # An older one does not bring a revoked certificate back.
    await point.is_due()
    point.server.answer = lambda _: point.authority.revocations(made=-2 * DAY)
    assert await point.state(good) == Verdict(state="lying", reason="older than the one before")


@pytest.mark.parametrize("how", ["hangs", "redirects", "endless", "500", "junk"])
async def test_a_distribution_point_that_misbehaves_clears_nobody(point: Point, how: str) -> None:
    point.server.how = how
    good = point.authority.client("A")
    assert (await point.state(good)).state == ("lying" if how == "junk" else "unreachable")
    row = await point.pool.fetchrow("select crl, failure from outside_crl where url = $1", point.url)
    assert row is not None
    assert (row["crl"], bool(row["failure"])) == (None, True)
    # It is not asked again at once.
    assert "a moment ago" in (await point.state(good)).reason
    assert len(point.server.asked) == 1


async def test_what_a_list_must_be(point: Point) -> None:
    good = point.authority.client("A")
    impostor = Authority("Theirs")
    for answer, reason in (
        (impostor.revocations(), "not signed by its authority"),
        (Authority("Others").revocations(), "another authority's"),
        (point.authority.revocations(valid_for=-DAY), "not valid now"),
        (point.authority.revocations(made=DAY), "not valid now"),
        (point.authority.revocations(partial=True), "changes only, not a complete list"),
    ):
        point.server.answer = lambda _, answer=answer: answer  # type: ignore[misc]
        await point.is_due()
        assert await point.state(good) == Verdict(state="lying", reason=reason)


async def test_nobody_is_asked_whom_the_operator_did_not_name(point: Point) -> None:
    good = point.authority.client("A")
    point.forgets("crl.example")
    verdict = await point.state(good)
    assert (verdict.state, "OHMSTEAD_CRL_HOSTS" in verdict.reason) == ("unreachable", True)
    assert point.server.asked == []
    assert points_of(Authority("Bare").client("A").certificate) == ()


async def test_a_list_may_be_der(point: Point) -> None:
    bad = point.authority.client("B")
    der = x509.load_pem_x509_crl(point.authority.revocations(bad)).public_bytes(Encoding.DER)
    point.server.answer = lambda _: der
    assert (await point.state(bad)).state == "revoked"
