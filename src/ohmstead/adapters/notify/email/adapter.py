"""Mails over SMTP (RFC 5321). Implements notifications.ports.Carrier.

A connection for each mail: they are few, and none waits for another's server.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8 as SMTPUTF8_POLICY
from email.utils import format_datetime

import aiosmtplib
import idna

from ohmstead.adapters.notify.email.settings import SmtpSettings
from ohmstead.core import clock
from ohmstead.core.errors import ExternalFailure
from ohmstead.notifications.ports import Letter

# The server is known to have said no for good only by what it says about this mail: a login that fails is our fault, and
# somebody will see to it.
_PERMANENT = range(500, 600)
_LOCAL = re.compile(r'[^\s@<>(),;:\\"\[\]]{1,64}')
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


class MailCarrier:
    """Hands mails to one server."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._tls: ssl.SSLContext | None = None

    async def carry(self, letter: Letter) -> str:
        """Raises ExternalFailure: permanent when the server refuses this mail, its sender or its address for good (5xx)."""
        address = _address(letter.address or "")
        is_ascii = address.addr_spec.isascii()
        message = compose(letter, self._settings.sender, address)
        client = self._client()
        try:
            await client.connect()
            options = [] if is_ascii else ["SMTPUTF8"]
            _errors, answer = await client.sendmail(
                self._settings.sender.addr_spec,
                [address.addr_spec],
                message.as_bytes(policy=SMTP_POLICY if is_ascii else SMTPUTF8_POLICY),
                mail_options=options,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            raise ExternalFailure(f"{first.code} {first.message}", permanent=first.code in _PERMANENT) from error
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise ExternalFailure(f"{error.code} {error.message}", permanent=error.code in _PERMANENT) from error
        except aiosmtplib.SMTPResponseException as error:
            raise ExternalFailure(f"{error.code} {error.message}") from error
        except aiosmtplib.SMTPNotSupported as error:
            raise ExternalFailure(f"the mail server cannot: {error.message}", permanent=not is_ascii) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise ExternalFailure(_in_words(error, self._settings)) from error
        finally:
            # It took the mail, or not, by now; how the connection ends changes nothing.
            with contextlib.suppress(Exception):
                if client.is_connected:
                    await client.quit(timeout=2)
            client.close()
        return answer or "250"

    def _client(self) -> aiosmtplib.SMTP:
        given = self._settings
        start: bool | None = {"whole": False, "start": True, "start_if_offered": None, "none": False}[given.tls]
        return aiosmtplib.SMTP(
            hostname=given.host,
            port=given.port,
            username=given.user,
            password=given.password,
            timeout=given.timeout_s,
            use_tls=given.tls == "whole",
            start_tls=start,
            tls_context=None if given.tls == "none" else self._context(),
        )

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._settings.ca)
        return self._tls


def compose(letter: Letter, sender: Address, to: Address) -> EmailMessage:
    """The mail: text and HTML, files, and headers by which mail programs know what it is (RFC 5322, 3834, 8058).

    Its Message-ID is made of the message's id: a mail that comes twice is known for one.
    """
    message = EmailMessage(policy=SMTPUTF8_POLICY)
    message["From"] = Address(_line(sender.display_name or letter.network), addr_spec=sender.addr_spec)
    message["To"] = to
    message["Subject"] = _line(letter.subject)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{letter.notification_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = letter.language
    if letter.unsubscribe_url is not None:
        message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    for file in letter.enclosures:
        main, _, sub = file.media_type.partition("/")
        message.add_attachment(file.content, maintype=main, subtype=sub, filename=_line(file.name))
    return message


def _address(text: str) -> Address:
    """Whom a mail goes to: one address, and nothing else. Raises ExternalFailure."""
    local, _at, domain = text.rpartition("@")
    try:
        if not _LOCAL.fullmatch(local) or not text.isprintable():
            raise ValueError("not an address")
        plain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
        if not _DOMAIN.fullmatch(plain):
            raise ValueError("not a domain")
    except (ValueError, UnicodeError) as error:
        raise ExternalFailure("this is no e-mail address", permanent=True) from error
    return Address(username=local, domain=plain)


def _line(text: str) -> str:
    """What stands in a header: one line, whatever somebody put into it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _in_words(error: Exception, given: SmtpSettings) -> str:
    where = f"{given.host}:{given.port}"
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return f"the certificate of {where} is not good"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer within {given.timeout_s:g} s"
    if isinstance(error, aiosmtplib.SMTPConnectError):
        return f"{where} cannot be reached: {error}"[:300]
    return f"{where}: {error}"[:300]
