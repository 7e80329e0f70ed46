"""`ohmstead ledger` and `ohmstead billing` as somebody at the machine uses it."""

import asyncio
import subprocess
import sys

from ohmstead.settings import Settings
from tests.billing.network import Business
from tests.faults.own_process import environment


async def ohmstead(settings: Settings, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "ohmstead", *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment(settings), capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


async def test_books_are_verified_and_months_closed_at_the_command_line(business: Business, settings: Settings) -> None:
    await business.settles(await business.session())
    code, said = await ohmstead(settings, "ledger", "verify")
    assert (code, "Harbour: 1 entries, 1 CDRs" in said, "The books are right." in said) == (0, True, True), said
    code, said = await ohmstead(settings, "ledger", "lock", "2026-03")
    assert (code, "2026-03 and all before it are closed" in said) == (0, True), said
    late = await business.session()
    code, said = await ohmstead(settings, "billing", "catch-up")
    assert (code, "Harbour: 1 sessions" in said) == (0, True), said
    assert late in {cdr.session_id for cdr in await business.cdrs()}
    assert (await ohmstead(settings, "ledger", "lock", "2026-02"))[0] == 1
    assert (await ohmstead(settings, "ledger", "lock", "2999-02"))[0] == 1
    await business.pool.execute("update ledger_balance set debit_minor = debit_minor + 1")
    code, said = await ohmstead(settings, "ledger", "verify", "--party", "Harbour")
    assert (code, "balance of receivable:nobody" in said, "are right" in said) == (1, True, False), said
    assert (await ohmstead(settings, "ledger", "verify", "--party", "Nobody"))[0] == 1
    await Business(business.pool).founded()
    code, said = await ohmstead(settings, "ledger", "lock", "2026-04")
    assert (code, "say whose" in said) == (1, True), said
