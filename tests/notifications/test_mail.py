"""Mails go over SMTP as a real server takes them, and say what the server said."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from ohmstead.adapters.notify.email.adapter import MailCarrier, compose
from ohmstead.adapters.notify.email.settings import SmtpSettings, sender_of
from ohmstead.core.errors import ExternalFailure
from ohmstead.notifications.ports import Enclosure, Letter
from ohmstead.settings import Settings, SettingsError
from tests.notifications.post import certificate, post_office, text_in

SENDER = "Harbour Power <no-reply@harbour.example>"
LETTER = Letter(
    notification_id=UUID("019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d"),
    kind="charging_complete",
    network="Harbour Power",
    address="robin@example.com",
    subject="Laden beendet: 23,45 kWh",
    text="Grüße\n.\n" + "x" * 1200 + "\n",
    html="<p>Grüße</p>",
    brief="Grüße",
    unsubscribe_url="https://charge.example.com/unsubscribe/abc",
    enclosures=(Enclosure(name="R-1.pdf", media_type="application/pdf", content=b"%PDF-1.7 \r\n\0\xff"),),
    language="de",
)


def carrier(url: str) -> MailCarrier:
    return MailCarrier(SmtpSettings.of(url, SENDER))


async def test_a_mail_arrives_whole_with_what_mail_programs_go_by() -> None:
    async with post_office() as office:
        answer = await carrier(f"smtp://127.0.0.1:{office.port}").carry(LETTER)
    (mail,), (envelope,) = office.mails, office.envelopes
    assert answer == "2.0.0 Taken as 4711"
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@harbour.example", ["robin@example.com"])
    assert mail["From"] == SENDER
    assert mail["Subject"] == LETTER.subject
    assert mail["Message-ID"] == "<019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d@harbour.example>"
    assert mail["List-Unsubscribe"] == "<https://charge.example.com/unsubscribe/abc>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (text_in(mail), text_in(mail, "html").strip()) == (LETTER.text, LETTER.html)
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("R-1.pdf", "application/pdf")
    assert file.get_content() == LETTER.enclosures[0].content
    assert all(len(line) <= 998 for line in envelope.content.splitlines())


async def test_the_same_message_has_the_same_id_however_often_it_is_sent() -> None:
    first, again = (compose(LETTER, sender_of(SENDER), sender_of("a@example.com")) for _ in range(2))
    other = compose(replace(LETTER, notification_id=UUID(int=1)), sender_of(SENDER), sender_of("a@example.com"))
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]


async def test_what_cannot_be_turned_off_offers_no_way_to() -> None:
    mail = compose(replace(LETTER, unsubscribe_url=None), sender_of(SENDER), sender_of("a@example.com"))
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None


async def test_no_text_gets_into_the_headers() -> None:
    hostile = replace(
        LETTER,
        subject="Hi\r\nBcc: all@example.com\r\n\r\nBody",
        network="N\nX: 1",
        enclosures=(replace_name("a\r\nX: 1.pdf"),),
    )
    async with post_office() as office:
        await carrier(f"smtp://127.0.0.1:{office.port}").carry(hostile)
    (mail,) = office.mails
    assert office.envelopes[0].rcpt_tos == ["robin@example.com"]
    assert mail["Subject"] == "Hi Bcc: all@example.com Body"
    assert mail["Bcc"] is None
    assert mail["X"] is None


def replace_name(name: str) -> Enclosure:
    return Enclosure(name=name, media_type="application/pdf", content=b"x")


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@", "@b.c", "a@b.c\r\nRCPT TO:<x@y.z>", "a@b.c, d@e.f", "Name <a@b.c>", "a b@c.d", "<a@b.c>", "a@b.c>"],
)
async def test_what_is_not_one_address_is_refused_and_no_server_is_asked(address: str) -> None:
    async with post_office() as office:
        with pytest.raises(ExternalFailure) as refused:
            await carrier(f"smtp://127.0.0.1:{office.port}").carry(replace(LETTER, address=address))
    assert refused.value.permanent
    assert office.tries == 0


async def test_addresses_in_other_alphabets_are_written_to() -> None:
    async with post_office() as office:
        await carrier(f"smtp://127.0.0.1:{office.port}").carry(replace(LETTER, address="robin@grüße.example"))
        await carrier(f"smtp://127.0.0.1:{office.port}").carry(replace(LETTER, address="jürgen@example.com"))
    assert office.envelopes[0].rcpt_tos == ["robin@xn--gre-6ka8l.example"]
    assert office.envelopes[1].rcpt_tos == ["jürgen@example.com"]


@pytest.mark.parametrize(
    ("said", "is_final"),
    [
        ("450 4.2.0 Greylisted, come back in 5 minutes", False),
        ("452 4.2.2 Mailbox full", False),
        ("550 5.1.1 No such user", True),
        ("553 5.7.1 Go away", True),
    ],
)
async def test_what_the_server_says_about_an_address_is_told_and_decides(said: str, is_final: bool) -> None:
    async with post_office() as office:
        office.refuses["robin@example.com"] = said
        with pytest.raises(ExternalFailure) as refused:
            await carrier(f"smtp://127.0.0.1:{office.port}").carry(LETTER)
    assert refused.value.permanent is is_final
    assert refused.value.text == said
    assert not office.mails


async def test_what_the_server_says_about_the_mail_is_told() -> None:
    async with post_office() as office:
        office.answers = ["554 5.6.0 Looks like spam", "451 4.3.0 Try later"]
        for is_final in (True, False):
            with pytest.raises(ExternalFailure) as refused:
                await carrier(f"smtp://127.0.0.1:{office.port}").carry(LETTER)
            assert refused.value.permanent is is_final


async def test_tls_from_the_start_and_by_starttls_with_a_login(tmp_path: Path) -> None:
    tls, ca = certificate(tmp_path)
    user = "smtp%40harbour:s3cret%20p%40ss@"
    async with post_office(tls) as whole, post_office(tls, starts_tls=True, wants_login=True) as later:
        await carrier(f"smtps://127.0.0.1:{whole.port}?ca={ca}").carry(LETTER)
        await carrier(f"smtp://{user}127.0.0.1:{later.port}?ca={ca}").carry(LETTER)
        with pytest.raises(ExternalFailure, match="535") as refused:
            await carrier(f"smtp://smtp:wrong@127.0.0.1:{later.port}?ca={ca}").carry(LETTER)
    assert (whole.is_tls, later.is_tls) == ([True], [True])
    assert later.who[0] == "smtp@harbour"
    assert not refused.value.permanent  # our password is wrong, not the mail


async def test_a_server_with_a_certificate_of_nobody_gets_nothing(tmp_path: Path) -> None:
    tls, _ca = certificate(tmp_path)
    async with post_office(tls) as office:
        with pytest.raises(ExternalFailure, match="certificate"):
            await carrier(f"smtps://127.0.0.1:{office.port}").carry(LETTER)
    assert not office.mails


async def test_a_server_that_is_away_or_says_nothing_is_asked_again_later() -> None:
    silent = await asyncio.start_server(lambda _r, _w: asyncio.sleep(5), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    given = replace(SmtpSettings.of(f"smtp://127.0.0.1:{port}", SENDER), timeout_s=0.2)
    with pytest.raises(ExternalFailure) as slow:
        await MailCarrier(given).carry(LETTER)
    silent.close()
    with pytest.raises(ExternalFailure) as away:
        await carrier("smtp://127.0.0.1:9").carry(LETTER)
    assert not slow.value.permanent
    assert not away.value.permanent


@pytest.mark.parametrize(
    ("url", "tls", "port"),
    [
        ("smtp://mail.example:2525", "start", 2525),
        ("smtp://mail.example", "start", 587),
        ("smtps://mail.example", "whole", 465),
        ("smtp://localhost", "start_if_offered", 587),
        ("smtp://relay.internal:25?tls=none", "none", 25),
    ],
)
def test_only_this_machine_and_who_is_told_so_go_without_tls(url: str, tls: str, port: int) -> None:
    found = SmtpSettings.of(url, SENDER)
    assert (found.tls, found.port) == (tls, port)
    assert "pass" not in repr(SmtpSettings.of("smtp://u:password@mail.example", SENDER))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "mail.example:25"),
        ("SMTP_URL", "http://mail.example"),
        ("SMTP_URL", "smtp://mail.example?tls=maybe"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "A <a@b.example> x"),
        ("SMS_URL", "twilio://a:b@c/d"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({f"OHMSTEAD_{name}": value, "HOME": "/tmp"})
    assert "mail.example" not in str(refused.value)
