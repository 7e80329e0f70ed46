"""Money in the console: a month at a glance, CDRs and what becomes of them, sessions that are not billed, the books."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from ohmstead.billing import verifying
from ohmstead.console import exports
from ohmstead.core.errors import Refused
from ohmstead.reports.money import queries
from ohmstead.reports.usage import service as usage
from tests.api.door import Front
from tests.console.town import Town
from tests.console.visitor import Page, Visitor, sign_in


@pytest.fixture
async def town(noon: datetime, visitor: Visitor) -> Town:
    """A kWh costs 0.49, before 21 % VAT, at a station of a site."""
    town = Town(visitor.network, noon)
    await town.tariff()
    return town


async def a_station(town: Town) -> tuple[str, UUID]:
    place = await town.location("Harbour Park")
    return await town.station("ST", location_id=place), place


async def a_bill(town: Town, station: str, *, begins: float = 5, **values: Any) -> Any:
    """20 kWh: 11.86 with taxes."""
    (cdr,) = await town.bills(await town.settled(station, begins=begins, ends=begins - 1, **values))
    return cdr


def links(page: Page) -> list[str]:
    return [link.attributes["href"] for link in page.all("a")]


# ---------------------------------------------------------------------------------------------------- the overview


async def test_nothing_billed_yet_is_said_with_what_it_takes(visitor: Visitor) -> None:
    page = await visitor.opens("/money")
    assert page.heading == "Nothing has been billed yet."
    assert "It takes a tariff" in page.text
    for path in ("/cdrs", "/ledger", "/ledger/months", "/exceptions"):
        await visitor.opens(path)


async def test_the_overview_tells_a_month_beside_the_same_days_of_the_one_before(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    await a_bill(town, station)
    await a_bill(town, station, begins=30)
    # The 9th of February counts, the 12th does not: it is the 11th of March.
    await a_bill(town, station, begins=30 * 24, wh=10_000)
    await a_bill(town, station, begins=27 * 24)
    await town.bills(await town.settled(station, begins=9, ends=8, wh=0))
    page = await visitor.opens("/money")
    assert page.heading == "Not all: 1 session is not billed. The ledger balances."
    assert "23.72 EUR" in page.text
    assert "▲ 300 % on 1 to 11 February, 5.93 EUR" in page.text
    assert "4.12 EUR" in page.text
    assert "No energy was delivered" in page.text
    # 11.86 + 11.86 + 5.93 + 11.86, all owed by nobody that is known.
    assert "41.51 EUR" in page.text
    assert "/cdrs?from=2026-03-01&to=2026-03-31" in links(page)
    listed = await visitor.opens("/cdrs?from=2026-03-01&to=2026-03-31")
    assert listed.heading == "2 CDRs, 23.72 EUR in all."
    past = await visitor.opens("/money?month=2026-02")
    assert "17.79 EUR" in past.text
    assert "/ledger?kind=receivable&on=2026-02-28" in links(past)
    for odd in ("month=2026-13", "month=0001-01", "month=9999-12", "currency=XXX", "month=%00"):
        await visitor.opens(f"/money?{odd}")


async def test_the_days_and_the_journal_are_files(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    days = (await visitor.client.get("/money.csv")).text.splitlines()
    assert days[0].lstrip("\ufeff") == "day,currency,billed,taxes"
    assert days[1:] == ["2026-03-11,EUR,11.86,2.06"]
    journal = (await visitor.client.get("/ledger/journal.csv?month=2026-03")).text.splitlines()
    assert len(journal) == 4
    assert f",receivable:nobody,11.86,,EUR,{cdr.cdr_id}," in journal[1]
    assert ",revenue:energy,,9.80,EUR," in journal[2]


async def test_a_journal_that_is_read_in_pieces_lacks_nothing_and_has_nothing_twice(
    town: Town, visitor: Visitor
) -> None:
    station, _place = await a_station(town)
    for days_ago in (0, 1, 30, 2):
        await a_bill(town, station, begins=5 + 24 * days_ago)
    pool, party_id = visitor.network.pool, visitor.network.party_id
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    async with pool.acquire() as conn:
        numbers = await queries.find_numbers(conn, party_id, march, april)
        assert numbers is not None
        after, last = numbers[0] - 1, numbers[1]
        pieces: list[Any] = []
        while rows := await queries.list_journal(conn, party_id, march, april, after=after, last=last, limit=1):
            assert len({row[0] for row in rows}) == 1
            pieces += rows
            after = rows[-1][0]
        assert pieces == await queries.list_journal(conn, party_id, march, april, after=0, last=last, limit=100)
        assert await queries.find_numbers(conn, party_id, date(2027, 1, 1), date(2027, 2, 1)) is None
    journal = (await visitor.client.get("/ledger/journal.csv?month=2026-03")).text.splitlines()
    assert len(journal) == 1 + len(pieces) == 10
    assert (await visitor.client.get("/ledger/journal.csv?month=2025-01")).text.splitlines()[1:] == []


def test_a_file_that_would_lack_rows_is_refused() -> None:
    assert exports.whole([1, 2], 2) == [1, 2]
    with pytest.raises(Refused, match="more than 2 rows"):
        exports.whole([1, 2, 3], 2)


async def test_the_check_reckons_all_anew_and_says_what_is_wrong(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    page = await visitor.sends("/money/check")
    assert "All of it was reckoned anew, and is right" in page.text
    pool = visitor.network.pool
    await pool.execute("update ledger_balance set debit_minor = debit_minor + 1 where party_id = $1", cdr.party_id)
    await pool.execute("update ledger_sum set debit_minor = debit_minor + 1 where party_id = $1", cdr.party_id)
    page = await visitor.sends("/money/check")
    assert "6 faults were found" in page.text
    assert "A balance is not what was posted" in page.text
    assert "A month’s sum is not what was posted" in page.text
    assert page.heading.startswith("The ledger does not balance.")


# --------------------------------------------------------------------------------------------------------- CDRs


async def test_cdrs_are_found_by_ids_place_customer_tariff_and_days(town: Town, visitor: Visitor) -> None:
    station, place = await a_station(town)
    other = await town.station("OTHER")
    mine = await a_bill(town, station, token_uid="04A224F9", location_id=place)
    theirs = await a_bill(town, other, begins=60, wh=10_000)
    page = await visitor.opens("/cdrs")
    assert page.heading == "2 CDRs, 17.79 EUR in all."
    assert "Harbour Park" in page.text
    for query, found in (
        (f"q={mine.cdr_id}", [mine]),
        (f"q={str(mine.cdr_id)[:23]}", [mine]),
        (f"q={theirs.session_id}", [theirs]),
        ("q=04a2", [mine]),
        (f"station={other}", [theirs]),
        ("token=04A224F9", [mine]),
        (f"location={place}", [mine]),
        (f"tariff={mine.tariff_id}", [mine, theirs]),
        ("customer=nobody", [mine, theirs]),
        ("from=2026-03-11", [mine]),
        ("to=2026-03-10", [theirs]),
        ("currency=SEK", []),
        ("show=credit", []),
        ("q=100%25", []),
    ):
        shown = links(await visitor.opens(f"/cdrs?{query}"))
        assert [f"/cdrs/{one.cdr_id}" in shown for one in (mine, theirs)] == [one in found for one in (mine, theirs)], (
            query
        )
        table = (await visitor.client.get(f"/cdrs.csv?{query}")).text
        assert [str(one.cdr_id) in table for one in (mine, theirs)] == [one in found for one in (mine, theirs)], query
    assert "give days as 2026-03-31" in (await visitor.opens("/cdrs?from=2026-02-30")).text.lower()
    by_energy = await visitor.opens("/cdrs?sort=energy")
    assert links(by_energy).index(f"/cdrs/{theirs.cdr_id}") < links(by_energy).index(f"/cdrs/{mine.cdr_id}")
    await visitor.opens("/cdrs?location=nonsense", expect=404)


async def test_a_list_of_cdrs_can_be_kept_and_its_columns_chosen(town: Town, visitor: Visitor) -> None:
    await visitor.sends("/lists/cdrs", name="Credits", query="show=credit", is_shared="yes")
    assert "Credits" in (await visitor.opens("/lists/cdrs")).text
    await visitor.sends("/lists/cdrs/columns", hidden=["Token"], expect=303)
    assert 'data-hidden="Token"' in (await visitor.opens("/cdrs")).html


async def test_cells_of_a_file_run_nothing(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    await a_bill(town, station, token_uid="=HYPERLINK(1)")
    assert ",'=HYPERLINK(1)," in (await visitor.client.get("/cdrs.csv")).text


async def test_a_cdr_tells_lines_taxes_periods_its_entry_and_itself_as_ocpi_has_it(
    town: Town, visitor: Visitor
) -> None:
    station, place = await a_station(town)
    cdr = await a_bill(town, station, location_id=place)
    page = await visitor.opens(f"/cdrs/{cdr.cdr_id}")
    assert page.heading == "11.86 EUR for 20.00 kWh."
    for words in ("20.000 kWh", "0.49 EUR per kWh", "VAT 21 %", "9.80 EUR", "2.06 EUR", "Entry 1", "receivable:nobody"):
        assert words in page.text, words
    assert f"/sessions/{cdr.session_id}" in links(page)
    ocpi = await visitor.client.get(f"/cdrs/{cdr.cdr_id}/ocpi.json")
    assert ocpi.json()["total_cost"] == {"excl_vat": 9.8, "incl_vat": 11.86}
    assert "attachment" in ocpi.headers["content-disposition"]
    session = await visitor.opens(f"/sessions/{cdr.session_id}")
    assert "CDR over 11.86 EUR" in session.text
    assert f"/cdrs/{cdr.cdr_id}" in links(session)


async def test_a_cdr_is_taken_back_with_a_reason_and_billed_anew(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    path = f"/cdrs/{cdr.cdr_id}/credit"
    refused = await visitor.sends(path, reason=" ", bill_again="yes", expect=422)
    assert refused.heading == "11.86 EUR for 20.00 kWh."
    await visitor.network.pool.execute("update session set energy_wh = 10000 where session_id = $1", cdr.session_id)
    await visitor.network.pool.execute(
        "update charging_period set energy_wh = 10000 where session_id = $1", cdr.session_id
    )
    assert "It would come to 5.93 EUR." in (await visitor.opens(f"/cdrs/{cdr.cdr_id}")).text
    answer = await visitor.sends(path, reason="The meter was read wrongly", bill_again="yes", expect=303)
    new = await visitor.opens(answer.answer.headers["location"])
    assert new.heading == "5.93 EUR for 10.00 kWh."
    assert "billed anew; this is the new one" in new.text
    assert "The meter was read wrongly" in new.text
    assert "Charge 1: 11.86 EUR" in new.text
    assert "Credit 1: -11.86 EUR" in new.text
    old = await visitor.opens(f"/cdrs/{cdr.cdr_id}")
    assert "It counts no more" in old.text
    assert not list(old.all("textarea", id="reason"))
    again = await visitor.sends(path, reason="again", expect=409)
    assert "It was credited already" in again.text
    listed = await visitor.opens("/cdrs")
    assert listed.heading == "3 CDRs, 5.93 EUR in all."
    for show, n in (("charge", 2), ("credit", 1), ("credited", 1), ("corrected", 1)):
        assert (await visitor.opens(f"/cdrs?show={show}")).heading.startswith(f"{n} CDR")
    async with visitor.network.pool.acquire() as conn:
        assert (await verifying.verify(conn, visitor.network.party_id)).faults == []


async def test_taking_a_cdr_back_asks_for_a_proof_first(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    await visitor.network.pool.execute(
        "update web_session w set proved_at = null from operator o where o.operator_id = w.operator_id and o.party_id = $1",
        cdr.party_id,
    )
    page = await visitor.sends(f"/cdrs/{cdr.cdr_id}/credit", reason="wrong", expect=403)
    assert "Is it still you, Ada?" in page.text
    page = await visitor.sends("/ledger/months/close", month="2026-02", sure="yes", expect=403)
    assert "Is it still you, Ada?" in page.text


async def test_a_drivers_page_tells_what_they_owe(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    made = await visitor.sends("/drivers/new", name="Ada Lovelace", expect=303)
    path = made.answer.headers["location"]
    assert "Nothing was billed to them yet." in (await visitor.opens(path)).text
    driver_id = UUID(path.rpartition("/")[2])
    await visitor.network.token("04A224F9", driver_id=driver_id)
    await visitor.network.pool.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, '04a224f9', '2020-01-01Z')",
        visitor.network.party_id,
        driver_id,
    )
    cdr = await a_bill(town, station, token_uid="04A224F9")
    assert cdr.customer == f"driver:{path.rpartition('/')[2]}"
    page = await visitor.opens(path)
    assert "Receivable in EUR 11.86 EUR" in page.text
    listed = await visitor.opens(f"/cdrs?customer={cdr.customer}")
    assert listed.heading == "1 CDR, 11.86 EUR in all."
    assert "Ada Lovelace ×" in listed.text
    account = next(link for link in links(page) if link.startswith("/ledger/accounts/"))
    assert (await visitor.opens(account)).heading == "Owed by Ada Lovelace: 11.86 EUR"


# --------------------------------------------------------------------------------------------------- not billed


async def test_sessions_that_are_not_billed_are_decided_about_many_at_once_each_with_its_result(
    town: Town, visitor: Visitor
) -> None:
    station, _place = await a_station(town)
    empty = await town.settled(station, begins=9, ends=8, wh=0)
    odd = await town.settled(station, begins=7, ends=6, anomalies=["implausible_jump"])
    await town.bills(empty, odd)
    await visitor.network.pool.execute(
        "update tariff_assignment set ended_at = '2026-01-01Z', ended_by = 'x' where party_id = $1",
        visitor.network.party_id,
    )
    free = await town.settled(station, begins=5, ends=4)
    await town.bills(free)
    page = await visitor.opens("/exceptions")
    assert page.heading == "3 sessions wait for a decision, 40.00 kWh."
    for words in ("No energy was delivered", "The meter jumped", "No tariff applied", "11.86 EUR", "no price"):
        assert words in page.text, words
    chosen = [str(odd), str(free)]
    unsaid = await visitor.sends("/exceptions", chosen=chosen, decision="bill", note=" ", expect=422)
    assert "Say why" in unsaid.text
    assert {e.attributes["value"] for e in unsaid.all("input", name="chosen") if "checked" in e.attributes} == set(
        chosen
    )
    await visitor.sends("/exceptions", decision="bill", note="x", expect=422)
    await visitor.sends("/exceptions", chosen=chosen, decision="perhaps", note="x", expect=422)
    done = await visitor.sends("/exceptions", chosen=chosen, decision="bill", note="Read off the meter")
    assert "1 of 2 sessions billed. 11.86 EUR" in done.text
    assert "No tariff gives a price for this session" in done.text
    assert done.heading == "2 sessions wait for a decision, 20.00 kWh."
    done = await visitor.sends("/exceptions", chosen=[str(empty)], decision="never", note="Nothing flowed")
    assert "1 of 1 session never to be billed." in done.text
    never = await visitor.opens("/exceptions?show=never")
    assert "Nothing flowed" in never.text
    assert "Ada" in never.text
    assert "Read off the meter" in (await visitor.opens("/exceptions?show=billed")).text
    assert str(free) in (await visitor.client.get("/exceptions.csv")).text
    assert str(empty) not in (await visitor.client.get("/exceptions.csv")).text
    session = await visitor.opens(f"/sessions/{empty}")
    assert "Decided: never. Nothing flowed" in session.text


async def test_decisions_of_strangers_change_nothing(town: Town, visitor: Visitor, stranger: Visitor) -> None:
    station, _place = await a_station(town)
    empty = await town.settled(station, begins=9, ends=8, wh=0)
    await town.bills(empty)
    page = await stranger.sends("/exceptions", chosen=[str(empty)], decision="never", note="mine")
    assert "0 of 1" in page.text
    assert (await visitor.opens("/exceptions")).heading.startswith("1 session waits")


# ------------------------------------------------------------------------------------------------------ the books


async def test_accounts_lead_to_entries_with_balances_and_entries_to_cdrs(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    first = await a_bill(town, station, begins=30)
    second = await a_bill(town, station, wh=10_000)
    page = await visitor.opens("/ledger")
    assert page.heading == "2 entries, and the books balance."
    assert "Owed, and not known by whom" in page.text
    assert "Earned: energy" in page.text
    assert "VAT 21 %" in page.text
    assert len([link for link in links(page) if "/ledger/accounts/" in link]) == 3
    (account,) = [link for link in links(await visitor.opens("/ledger?kind=revenue")) if "/ledger/accounts/" in link]
    page = await visitor.opens(account)
    assert page.heading == "Earned: energy: -14.70 EUR"
    assert [row.split("EUR")[-2].split()[-1] for row in page.rows()] == ["-14.70", "-9.80"]
    before = await visitor.opens(f"{account}?to=2026-03-10")
    assert len(before.rows()) == 1
    assert "Nothing was posted in these days." in (await visitor.opens(f"{account}?from=2026-04-01")).text
    entries = [link for link in links(page) if "/ledger/entries/" in link]
    entry = await visitor.opens(entries[0])
    assert entry.heading == "Entry 2: CDR, 11 Mar 2026"
    assert f"/cdrs/{second.cdr_id}" in links(entry)
    assert entries[1] in links(entry)
    assert f"/cdrs/{first.cdr_id}" in links(await visitor.opens(entries[1]))
    on = await visitor.opens("/ledger?on=2026-03-10")
    assert "11.86 EUR" in on.text
    assert "17.79 EUR" not in on.text
    table = (await visitor.client.get("/ledger.csv?kind=tax")).text.splitlines()
    assert table[1].startswith("tax:XX:VAT:21,tax,XX:VAT:21,EUR,0.00,3.09,-3.09,")
    assert ",CDR," not in (await visitor.client.get(f"{account}/entries.csv")).text
    assert ",cdr,Session " in (await visitor.client.get(f"{account}/entries.csv")).text
    for odd in ("kind=x", "on=x", "after=x", "q=%00", "q=%25", "currency=x"):
        await visitor.opens(f"/ledger?{odd}")
    for odd in ("before=x", "before=1_99999", "before=-1_1", "from=x"):
        await visitor.opens(f"{account}?{odd}")


async def test_a_month_is_closed_once_with_a_warning_and_for_ever(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    await a_bill(town, station, begins=20 * 24)
    await town.bills(await town.settled(station, begins=9, ends=8, wh=0))
    page = await visitor.opens("/ledger/months")
    assert page.heading == "1 month is over and open."
    assert "There is no way back" in page.text
    assert "1 session waits for a decision" in page.text
    assert "No bank payment is to be booked" in page.text
    assert "No documents were made for February 2026" in page.text
    assert "/invoices/runs?month=2026-02" in links(page)
    close = "/ledger/months/close"
    refused = await visitor.sends(close, month="2026-02", expect=409)
    assert "Say that you looked at it first" in refused.text
    await visitor.sends(close, month="2026-03", sure="yes", expect=409)
    await visitor.sends(close, month="x", sure="yes", expect=409)
    await visitor.sends(close, month="2026-02", sure="yes", expect=303)
    page = await visitor.opens("/ledger/months?done=2026-02")
    assert page.heading == "All is closed until 28 Feb 2026."
    assert "Ada" in page.text
    again = await visitor.sends(close, month="2026-02", sure="yes", expect=409)
    assert "2026-02 is closed already" in again.text
    assert "Closed until 28 Feb 2026" in (await visitor.opens("/money")).text


# --------------------------------------------------------------------------------------------------------- who may


async def test_search_finds_cdrs_and_entries_by_any_id(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    answer = await visitor.client.get(f"/search?q={cdr.cdr_id}")
    assert answer.headers["location"] == f"/cdrs/{cdr.cdr_id}"
    assert "11.86 EUR" in (await visitor.opens(f"/search?q={str(cdr.cdr_id)[:20]}")).text
    assert f"/cdrs/{cdr.cdr_id}" in links(await visitor.opens(f"/search?q={cdr.session_id}", hx_request="true"))
    page = await visitor.opens("/search?q=1")
    assert "entry 1" in page.text
    entry = next(link for link in links(page) if link.startswith("/ledger/entries/"))
    answer = await visitor.client.get(f"/search?q={entry.rpartition('/')[2]}")
    assert answer.headers["location"] == entry


async def test_who_may_not_see_money_is_not_offered_it(
    front: Front, town: Town, visitor: Visitor, client: httpx.AsyncClient
) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        reader = await sign_in(front, visitor.network, other, role="read_only")
        assert "/money" not in links(await reader.opens("/stations"))
        for path in ("/money", "/cdrs", "/ledger", "/exceptions", "/ledger/months", f"/cdrs/{cdr.cdr_id}"):
            await reader.opens(path, expect=403)
        assert "Bill" not in (await reader.opens(f"/sessions/{cdr.session_id}")).text
        assert str(cdr.cdr_id) not in (await reader.opens(f"/search?q={str(cdr.cdr_id)[:20]}")).html
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        operations = await sign_in(front, visitor.network, other, role="operations")
        page = await operations.opens(f"/cdrs/{cdr.cdr_id}")
        assert not list(page.all("textarea", id="reason"))
        await operations.sends(f"/cdrs/{cdr.cdr_id}/credit", reason="x", expect=403)
        await operations.sends("/exceptions", chosen=["x"], decision="never", note="x", expect=403)
        await operations.sends("/ledger/months/close", month="2026-02", sure="yes", expect=403)
        assert "Close it" not in (await operations.opens("/ledger/months")).text


async def test_who_sees_some_locations_sees_their_cdrs_and_no_books(front: Front, town: Town, visitor: Visitor) -> None:
    station, place = await a_station(town)
    here = await a_bill(town, station, location_id=place)
    there = await a_bill(town, await town.station("THERE", location_id=await town.location("There")))
    empty = await town.settled(station, begins=9, ends=8, wh=0)
    await town.bills(empty)
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        finance = await sign_in(front, visitor.network, other, role="finance")
        await visitor.network.pool.execute(
            "update operator set location_ids = $2 where party_id = $1 and role = 'finance'",
            visitor.network.party_id,
            [place],
        )
        page = await finance.opens("/cdrs")
        assert f"/cdrs/{here.cdr_id}" in links(page)
        assert str(there.cdr_id) not in page.html
        assert "/ledger" not in links(page)
        one = await finance.opens(f"/cdrs/{here.cdr_id}")
        assert "receivable" not in one.text
        await finance.opens(f"/cdrs/{there.cdr_id}", expect=404)
        for path in ("/money", "/ledger", "/ledger/months"):
            await finance.opens(path, expect=403)
        # Not at a location of theirs.
        page = await finance.sends("/exceptions", chosen=[str(empty)], decision="never", note="x")
        assert "0 of 1" in page.text


async def test_strangers_find_no_money_of_others(town: Town, visitor: Visitor, stranger: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    page = await visitor.opens("/ledger")
    account = next(link for link in links(page) if link.startswith("/ledger/accounts/"))
    entry = next(link for link in links(await visitor.opens(account)) if link.startswith("/ledger/entries/"))
    for path in (f"/cdrs/{cdr.cdr_id}", f"/cdrs/{cdr.cdr_id}/ocpi.json", account, f"{account}/entries.csv", entry):
        await stranger.opens(path, expect=404)
    await stranger.sends(f"/cdrs/{cdr.cdr_id}/credit", reason="mine", expect=404)
    for path in ("/money", "/cdrs", "/ledger", "/exceptions", "/ledger/months", f"/search?q={cdr.cdr_id}"):
        assert f"/cdrs/{cdr.cdr_id}" not in links(await stranger.opens(path))


async def test_reports_tell_what_was_brought_in_to_who_may_know(town: Town, visitor: Visitor) -> None:
    station, place = await a_station(town)
    await a_bill(town, station, location_id=place)
    await a_bill(town, station, begins=30, location_id=place)
    await a_bill(town, station, begins=30 * 24, wh=10_000, location_id=place)
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        # Its own: those of other parties are counted by the worker at the same time.
        own = await conn.fetch("select session_id from session where party_id = $1", visitor.network.party_id)
        await usage.count(conn, [row["session_id"] for row in own])
    page = await visitor.opens("/reports?measure=revenue")
    assert "19.60 EUR" in page.text.replace("\n", " ")
    assert "on 4.90 EUR · without taxes" in page.text
    assert "▲ 300 %" in page.text
    assert "Revenue by day" in page.text
    assert "9.80 EUR" in page.text
    here = await visitor.opens(f"/reports?measure=revenue&location={place}&period=day&day=2026-03-11")
    assert "Revenue by hour" in here.text
    for table, n_lines in (("", 32), ("places", 2)):
        lines = (await visitor.client.get(f"/reports.csv?table={table}")).content.decode("utf-8-sig").splitlines()
        column = lines[0].split(",").index("revenue_EUR")
        assert (len(lines), sum(Decimal(line.split(",")[column]) for line in lines[1:])) == (n_lines, Decimal("19.60"))
    await visitor.network.pool.execute(
        "update operator set role = 'technician' where party_id = $1", visitor.network.party_id
    )
    for path in ("/reports?measure=revenue", "/reports.csv", "/reports.csv?table=places"):
        answer = await visitor.client.get(path)
        assert answer.status_code == 200
        assert "EUR" not in answer.text
        assert "Revenue" not in answer.text
    assert "Energy by day" in (await visitor.opens("/reports?measure=revenue")).text
