"""A worker that is killed in the middle of a mail: the mail arrives, and both copies, if there are two, are known for one."""

import asyncio
import os
import signal
import sys
from datetime import timedelta

import pytest

from ohmstead.adapters.notify.email.adapter import MailCarrier
from ohmstead.adapters.notify.email.settings import SmtpSettings
from ohmstead.notifications.delivering import Deliverer
from tests.notifications.network import BASE, SECRET, Harbour
from tests.notifications.post import post_office

SENDER = "Harbour <no-reply@harbour.example>"
# What a worker does, and no more. With `hangs` it takes forever to write down what the server answered.
WORKER = """
import asyncio, sys
from datetime import timedelta
from ohmstead.adapters.notify.email.adapter import MailCarrier
from ohmstead.adapters.notify.email.settings import SmtpSettings
from ohmstead.core.db import connect_pool
from ohmstead.notifications.delivering import Deliverer

class Slow:
    def __init__(self, inner, hangs):
        self.inner, self.hangs = inner, hangs
    async def carry(self, letter):
        answer = await self.inner.carry(letter)
        if self.hangs:
            await asyncio.sleep(60)
        return answer

async def main(url, smtp, hangs):
    pool = await connect_pool(url, size=2)
    carrier = Slow(MailCarrier(SmtpSettings.of(smtp, "Harbour <no-reply@harbour.example>")), hangs == "hangs")
    deliverer = Deliverer(pool, {"email": carrier}, secret=b"k" * 32, base_url="https://charge.example.com",
                          lease=timedelta(seconds=1))
    await deliverer.run()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("how", "copies"), [("before the server took it", 1), ("before we wrote it down", 2)])
async def test_a_mail_survives_a_worker_that_is_killed(
    harbour: Harbour, database_url: str, how: str, copies: int
) -> None:
    robin = await harbour.driver()
    async with post_office() as office:
        is_early = copies == 1
        office.slow_s = 30 if is_early else 0
        smtp = f"smtp://127.0.0.1:{office.port}"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, database_url, smtp, "" if is_early else "hangs", env=dict(os.environ)
        )
        await harbour.tells("receipt_issued", robin, number="R-1")
        async with asyncio.timeout(30):
            while not (office.tries if is_early else office.mails):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        await child.wait()
        assert [row["status"] for row in await harbour.rows()] == ["sending"]
        office.slow_s = 0
        await asyncio.sleep(1.1)  # the lease of the dead one
        carrier = MailCarrier(SmtpSettings.of(smtp, SENDER))
        next_one = Deliverer(harbour.pool, {"email": carrier}, secret=SECRET, base_url=BASE, lease=timedelta(seconds=1))
        assert await next_one.drain() == 1
        assert await next_one.drain() == 0
    assert [(row["status"], row["n_tries"]) for row in await harbour.rows()] == [("sent", 1)]
    assert len(office.mails) == copies
    assert len({mail["Message-ID"] for mail in office.mails}) == 1
