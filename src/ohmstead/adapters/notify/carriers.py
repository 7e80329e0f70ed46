"""The channels of an installation: the one place that knows which adapters there are."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from ohmstead.adapters.notify.apprise.adapter import AppriseCarrier
from ohmstead.adapters.notify.apprise.settings import AppriseSettings
from ohmstead.adapters.notify.email.adapter import MailCarrier
from ohmstead.adapters.notify.email.settings import SmtpSettings, sender_of
from ohmstead.adapters.notify.webpush.adapter import PushCarrier
from ohmstead.core.db import Pool
from ohmstead.notifications import service
from ohmstead.notifications.model import Channel
from ohmstead.notifications.ports import Carrier
from ohmstead.notifications.service import PushKey
from ohmstead.settings import Settings


def carriers_of(settings: Settings, pool: Pool) -> dict[Channel, Carrier]:
    """E-mail and SMS where the settings name who takes them; push always. Raises ValueError for a setting that is wrong."""
    found: dict[Channel, Carrier] = {}
    if settings.smtp_url is not None:
        found["email"] = MailCarrier(SmtpSettings.of(settings.smtp_url, mail_from(settings)))
    if settings.sms_url is not None:
        found["sms"] = AppriseCarrier(AppriseSettings(url=settings.sms_url))
    contact = sender_of(mail_from(settings)).addr_spec
    found["push"] = PushCarrier(partial(_key, pool, settings.secret()), contact, settings.push_hosts)
    return found


def mail_from(settings: Settings) -> str:
    """Who mails come from; without the setting `no-reply` at the host that people reach us under."""
    return settings.mail_from or f"no-reply@{urlsplit(settings.console_url).hostname or 'localhost'}"


async def _key(pool: Pool, secret: bytes) -> PushKey:
    async with pool.acquire() as conn, conn.transaction():
        return await service.push_key(conn, secret)
