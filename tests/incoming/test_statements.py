"""Statements of banks as they come: CSV in many hands, camt.053 of two versions, and what is hostile."""

from datetime import date
from decimal import Decimal

import pytest

from ohmstead.billing.incoming.model import StatementColumns
from ohmstead.billing.incoming.statements import Statement, key_of, keyed, read_camt, read_csv
from ohmstead.core.errors import Invalid

GERMAN = StatementColumns(
    booked_on="Buchungstag",
    amount="Betrag",
    currency="Währung",
    payer="Name",
    text="Verwendungszweck",
    decimal=",",
    days="31.03.2026",
)


def camt(entries: str, version: str = "08") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt><Stmt>
<Acct><Id><IBAN>NL91ABNA0417164300</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt></Document>""".encode()


def entry(
    amount: str = "71.15", *, status: str = "<Cd>BOOK</Cd>", side: str = "CRDT", ref: str = "R1", more: str = ""
) -> str:
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts>{status}</Sts>'
        f"<BookgDt><Dt>2026-04-14</Dt></BookgDt><AcctSvcrRef>{ref}</AcctSvcrRef>{more}</Ntry>"
    )


def details(
    name: str = "<Dbtr><Pty><Nm>Fleet GmbH</Nm></Pty></Dbtr>", text: str = "INV-2026-000007", more: str = ""
) -> str:
    return (
        f"<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>{more}<RltdPties>{name}</RltdPties>"
        f"<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    )


@pytest.mark.parametrize(
    ("version", "status", "name"),
    [
        ("02", "BOOK", "<Dbtr><Nm>Fleet GmbH</Nm></Dbtr>"),
        ("08", "<Cd>BOOK</Cd>", "<Dbtr><Pty><Nm>Fleet GmbH</Nm></Pty></Dbtr>"),
    ],
)
def test_camt_of_both_versions_says_the_same(version: str, status: str, name: str) -> None:
    more = f"<NtryDtls>{details(name)}</NtryDtls>"
    read = read_camt(camt(entry(status=status, more=more), version))
    ((number, told),) = read.lines
    assert (number, told.amount, told.currency, told.booked_on) == (1, Decimal("71.15"), "EUR", date(2026, 4, 14))
    assert (told.payer, told.text, told.bank_ref) == ("Fleet GmbH", "INV-2026-000007", "R1")
    assert told.account == "NL91ABNA0417164300"
    assert read.faults == []


def test_what_is_not_booked_is_passed_over_and_what_went_out_is_below_nothing() -> None:
    read = read_camt(camt(entry(side="DBIT") + entry(status="<Cd>PDNG</Cd>", side="DBIT") + entry(ref="R2")))
    assert [(told.bank_ref, told.amount) for _, told in read.lines] == [
        ("R1", Decimal("-71.15")),
        ("R2", Decimal("71.15")),
    ]
    assert read.n_passed_over == 1
    read = read_camt(camt(entry(side="") + entry(side="DEBIT", ref="R2")))
    assert (read.lines, [fault.row for fault in read.faults]) == ([], [1, 2]), "which of both is never guessed"


@pytest.mark.parametrize(
    "holder", ["<Cdtr><Nm>Garages Ltd</Nm></Cdtr>", "<Cdtr><Pty><Nm>Garages Ltd</Nm></Pty></Cdtr>"]
)
def test_money_that_went_out_tells_who_got_it_and_where(holder: str) -> None:
    name = f"<Dbtr><Nm>Us</Nm></Dbtr>{holder}<CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>"
    part = f"<NtryDtls>{details(name, 'SB-2026-000001')}</NtryDtls>"
    ((_, told),) = read_camt(camt(entry("2.37", side="DBIT", more=part))).lines
    assert (told.amount, told.payer, told.payee_iban) == (Decimal("-2.37"), "Garages Ltd", "DE89370400440532013000")
    ((_, came),) = read_camt(camt(entry("2.37", more=part))).lines
    assert (came.payer, came.payee_iban) == ("Us", ""), "of who pays, no account is kept"


def test_a_batch_that_went_out_is_as_many_lines_too() -> None:
    one = details(more='<Amt Ccy="EUR">50.00</Amt>')
    two = details(more='<Amt Ccy="EUR">21.15</Amt>')
    read = read_camt(camt(entry(side="DBIT", more=f"<NtryDtls>{one}{two}</NtryDtls>")))
    assert [told.amount for _, told in read.lines] == [Decimal("-50.00"), Decimal("-21.15")]


def test_csv_tells_to_which_account_money_went() -> None:
    columns = StatementColumns(booked_on="d", amount="a", payee_iban="iban", default_currency="EUR")
    told = ("-5.00;de89 3704 0044 0532 0130 00", "-6.00;12345", "7.00;DE89370400440532013000")
    rows = "d;a;iban\n" + "".join(f"2026-04-14;{one}\n" for one in told)
    found = [one for _, one in read_csv(rows.encode(), columns).lines]
    assert [(one.amount, one.payee_iban) for one in found] == [
        (Decimal("-5.00"), "DE89370400440532013000"),
        (Decimal("-6.00"), ""),
        (Decimal("7.00"), ""),
    ]


def test_a_batch_is_as_many_lines_as_it_has_transactions_and_must_add_up() -> None:
    one = details(more='<AmtDtls><TxAmt><Amt Ccy="EUR">50.00</Amt></TxAmt></AmtDtls>')
    two = details(text="INV-2026-000008", more='<AmtDtls><TxAmt><Amt Ccy="EUR">21.15</Amt></TxAmt></AmtDtls>')
    read = read_camt(camt(entry(more=f"<NtryDtls>{one}{two}</NtryDtls>")))
    assert [(told.amount, told.bank_ref) for _, told in read.lines] == [
        (Decimal("50.00"), "R1/1"),
        (Decimal("21.15"), "R1/2"),
    ]
    wrong = read_camt(camt(entry("70.00", more=f"<NtryDtls>{one}{two}</NtryDtls>") + entry(ref="R2")))
    assert [fault.row for fault in wrong.faults] == [1]
    assert [told.bank_ref for _, told in wrong.lines] == ["R2"], "the others count"


@pytest.mark.parametrize(
    "data",
    [
        b"<nothing",
        b"<Document/>",
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.052.001.08"/>',
        b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><Document>&c;</Document>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Document>&a;</Document>',
        b'<?xml version="1.0" encoding="no-such"?><Document/>',
        camt("", "08").replace(b"UTF-8", b"UTF-16"),
    ],
)
def test_what_is_no_statement_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        read_camt(data)


@pytest.mark.parametrize("amount", ["", "1e5", "NaN", "1,50", "-5.00", "0.00", "1.234", "9" * 20])
def test_amounts_that_cannot_be_true_are_faults(amount: str) -> None:
    read = read_camt(camt(entry(amount) + entry(ref="R2")))
    assert len(read.lines) == 1
    assert len(read.faults) == 1


def test_csv_as_a_german_bank_writes_it() -> None:
    table = (
        "Buchungstag;Name;Verwendungszweck;Betrag;Währung\r\n"
        "14.04.2026;Fleet GmbH;INV-2026-000007;1.071,15;EUR\r\n"
        "15.04.2026;Grid;power;-50,00;EUR\r\n"
        "15.04.2026;Grid;interest;0,00;EUR\r\n"
        "16.04.2026;Ada;;12,3,4;EUR\r\n"
        "31.02.2026;Ada;;12,00;EUR\r\n"
        "17.04.2026;Ada;too few\r\n"
        "18.04.2026;Ada;a;12,345;EUR\r\n"
    )
    for encoding in ("utf-8-sig", "cp1252"):
        read = read_csv(table.encode(encoding), GERMAN)
        (number, told), (_, out) = read.lines
        assert (number, told.amount, told.currency) == (2, Decimal("1071.15"), "EUR")
        assert (told.payer, told.text, told.booked_on) == ("Fleet GmbH", "INV-2026-000007", date(2026, 4, 14))
        assert (out.payer, out.text, out.amount) == ("Grid", "power", Decimal("-50.00"))
        assert read.n_passed_over == 1, "a row of nothing"
        assert [fault.row for fault in read.faults] == [5, 6, 7, 8]


@pytest.mark.parametrize(
    ("text", "decimal", "wanted"),
    [
        ("1,234.56", ".", "1234.56"),
        ("1234.56", ".", "1234.56"),
        ("+12", ".", "12"),
        ("1 234,56", ",", "1234.56"),
        ("1'234.56", ".", "1234.56"),
        ("1.234,56", ".", None),
        ("1,23", ".", None),
        ("12,34,567.00", ".", None),
        ("1.2.3", ".", None),
        ("٣.00", ".", None),
    ],
)
def test_an_amount_is_never_guessed(text: str, decimal: str, wanted: str | None) -> None:
    columns = StatementColumns(booked_on="d", amount="a", decimal=decimal, default_currency="EUR")  # type: ignore[arg-type]
    read = read_csv(f'd;a\n2026-04-14;"{text}"\n'.encode(), columns)
    assert [told.amount for _, told in read.lines] == ([Decimal(wanted)] if wanted else [])
    assert len(read.faults) == (0 if wanted else 1)


def test_a_table_without_its_columns_is_refused() -> None:
    for data in (b"", b"a;b\n1;2\n", b"Buchungstag;Betrag;Betrag\n"):
        with pytest.raises(Invalid):
            read_csv(data, GERMAN)


def told(n: int) -> Statement:
    columns = StatementColumns(booked_on="d", amount="a", text="t", bank_ref="r", default_currency="EUR")
    rows = ["2026-04-14;10.00;same;", "2026-04-14;10.00;same;", "2026-04-14;10.00;same;R9", "2026-04-14;10.00;;R9"]
    return read_csv(("d;a;t;r\n" + "\n".join(rows[:n])).encode(), columns)


def test_two_who_pay_the_same_on_a_day_are_two_lines_and_a_reference_is_one() -> None:
    keys = [key for key, _ in keyed(told(4).lines)]
    assert len(keys) == 3
    assert [key for key, _ in keyed(told(2).lines)] == keys[:2], "a longer statement of the same days says the same"
    assert key_of(told(4).lines[0][1]) == keys[0]
