"""kill -9 of the worker while a receiver has a request: it comes again, under the same id, and none is lost."""

import asyncio
import os
import signal
from pathlib import Path

import msgspec

from ohmstead.accounts import access
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.settings import Settings
from ohmstead.tokens.register.service import NewToken, create_token
from ohmstead.webhooks import service
from ohmstead.webhooks.model import NewWebhook
from ohmstead.webhooks.vault import Vault
from tests.faults.own_process import running
from tests.stories.network import Installation, Network
from tests.stories.patience import until
from tests.webhooks.receiver import receiving


async def test_a_request_whose_worker_was_killed_comes_again_under_the_same_id(
    settings: Settings, db: Pool, nats_url: str, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(settings, webhook_hosts=("127.0.0.1",), webhook_timeout_s=2)
    bus = await Bus.connect(nats_url, "webhooks-killed")
    network = await Network(Installation(settings, db, bus)).found()
    actor, vault = access.system(network.party_id), Vault(settings.secret())

    async def reads() -> bool:
        return bool(await db.fetchval("select exists (select from outbox_cursor where consumer = 'webhooks')"))

    async with receiving("hangs") as receiver:
        async with db.acquire() as conn, conn.transaction():
            given = NewWebhook(url=receiver.url, kinds=["TokenCreated"])
            made = await service.create_webhook(conn, actor, given, vault, settings.webhook_hosts)
        async with running("worker", settings, tmp_path) as worker:
            await until(reads, "the worker reads the outbox", patience_s=20)
            for n in range(3):
                async with db.acquire() as conn, conn.transaction():
                    await create_token(conn, actor, NewToken(uid=f"K{n}"))
            first = list(await receiver.hears(3))
            os.kill(worker.process.pid, signal.SIGKILL)
            await asyncio.to_thread(worker.process.wait, 10)
        receiver.how = "200"
        async with running("worker", settings, tmp_path):

            async def all_taken() -> bool:
                n = await db.fetchval("select count(*) from webhook_delivery where status = 'delivered'")
                return bool(n == 3)

            await until(all_taken, "all three were taken", patience_s=30)
    again = receiver.heard[3:]
    assert {one.message_id for one in again} == {one.message_id for one in first}
    assert {one.body for one in again} == {one.body for one in first}
    assert all(one.is_signed_with(made.secret) for one in receiver.heard)
    await bus.close()
